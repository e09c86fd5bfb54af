"""An adapter as a folder for the hub: what PEFT loads and ``Reranker.load`` reads back, with a card."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import headrank
from headrank.api.golden import Golden, golden_scores, write_golden
from headrank.api.reranker import Reranker
from headrank.data.atomic import whole_folder, write_json, write_text
from headrank.data.digests import file_digest
from headrank.data.json_files import read_object
from headrank.engine.backbone import identify
from headrank.engine.lora_files import CONFIG, WEIGHTS, read_lora
from headrank.errors import RunError, UsageError
from headrank.export.card import Facts, card
from headrank.export.public_name import base_licence, public_base
from headrank.export.results import place_in_study, results_of
from headrank.export.study import finished_study, new_place, outside
from headrank.methods.table import trained_as
from headrank.settings import to_mapping
from headrank.training.exported import GOLDEN, KEY, Exported, PublicBase
from headrank.training.exported import described as describe_export
from headrank.training.saved_adapter import DESCRIPTION, HEADS, SCHEMA, VOUCHED, SavedAdapter, read_adapter

logger = logging.getLogger(__name__)
CARD = "README.md"


@dataclass(frozen=True)
class Wishes:
    """What the user says of an export; None where nothing is said.

    backbone: the base model as it lies here, by default as the adapter names it. revision: of a backbone of the hub.
    base: its public name, ``ORG/NAME@COMMIT``. name: of the repository that the folder is for, ``ORG/NAME``. licence:
    of the adapter. study: the finished study that trained it. datasets: ids of the hub. dtype, device: for the scores
    that a loaded adapter is tested by.
    """

    backbone: str | None = None
    revision: str | None = None
    base: str | None = None
    name: str | None = None
    licence: str | None = None
    languages: tuple[str, ...] = ("en",)
    datasets: tuple[str, ...] = ()
    study: Path | None = None
    dtype: str = "float32"
    device: str = "cpu"


def export_adapter(adapter: Path, output: Path, wishes: Wishes) -> PublicBase:
    """Write an adapter's folder for the hub, whole or not at all; returns where its base can be had.

    The folder is loaded before it is put in its place, and must give the scores that the adapter gives, equal to the
    last bit. Raises InputError for an adapter, a base or a study that do not belong together or are damaged, and for an
    output that exists and is no export; UsageError where a licence or a commit has to be named.
    """
    new_place(output, GOLDEN)
    saved = read_adapter(adapter)
    if wishes.backbone is None:
        model, revision = saved.base_to_load()
    else:
        model, revision = wishes.backbone, saved.revision if wishes.backbone == saved.base.name else None
    revision = wishes.revision or revision
    identity = identify(model, revision)
    saved.fits(identity)
    study, told = _told_by(wishes.study, adapter, output, saved)
    named = study.get("models", {}).get(told.backbone, {}) if told else {}
    base = public_base(saved, model, revision, wishes.base, named)
    stated = base_licence(model, base)
    licence = wishes.licence or stated
    if licence is None:
        raise UsageError(
            f"{adapter}: the licence of its base model could not be read; name the adapter's with --license, which has"
            " to honour that of the base"
        )
    if stated and licence != stated:
        logger.warning("%s: its base model is under %s; the card says both", adapter, stated)
    given: dict[str, Any] = {
        "backbone": model,
        "revision": revision,
        "dtype": wishes.dtype,
        "device": wishes.device,
    }
    golden = golden_scores(Reranker.load(adapter, **given))
    facts = Facts(
        name=wishes.name,
        saved=saved,
        lora=read_lora(adapter),
        kind=trained_as(saved.heads, saved.settings),
        base=base,
        base_name=_base_name(base, model),
        licence=licence,
        base_licence=stated,
        languages=wishes.languages,
        datasets=wishes.datasets,
        study=study or None,
        trained=told.trained if told else (),
        source=str(named.get("source", "")),
        results=tuple(told.results) if told else (),
    )
    with whole_folder(output) as made:
        _write(made, facts, identity.fingerprint, golden)
        again = Reranker.load(made, check=True, **given)
        # Some kernels of GPUs add up in any order.
        if wishes.device == "cpu" and golden_scores(again) != golden:
            raise RunError(
                f"{output}: not written: loaded again, it gives other scores than {adapter}; report this"
            )
    return base


@dataclass(frozen=True)
class _Told:
    backbone: str
    trained: tuple[tuple[str, Mapping[str, Any]], ...]
    results: list[Any]


def _told_by(
    root: Path | None, adapter: Path, output: Path, saved: SavedAdapter
) -> tuple[dict[str, Any], _Told | None]:
    """A study's provenance, and what it tells of this adapter."""
    if root is None:
        return {}, None
    outside(root, output)
    provenance = finished_study(root)
    backbone, method = place_in_study(adapter, saved.name, root)
    used = provenance["configuration"]["values"].get("train_on") or []
    collections = tuple((name, provenance["collections"][name]) for name in used)
    return provenance, _Told(backbone, collections, results_of(root, provenance, backbone, method))


def _base_name(base: PublicBase, model: str) -> str:
    """What the files call the base: no path of this machine."""
    return (base.file or base.repository) or Path(model).name


def _write(made: Path, facts: Facts, fingerprint: str | None, golden: Golden) -> None:
    saved, base = facts.saved, facts.base
    shutil.copyfile(saved.folder / WEIGHTS, made / WEIGHTS)
    lora = read_object(saved.folder / CONFIG, "adapter configuration")
    # PEFT loads the base by these two where it is not given one, and training leaves paths and nothing there.
    lora |= {"base_model_name_or_path": base.repository or facts.base_name, "revision": base.revision}
    write_json(made / CONFIG, lora)
    replace(saved.heads, model=facts.base_name, fingerprint=fingerprint).save(made / HEADS)
    write_golden(made, golden)
    files = {name: file_digest(made / name) for name in VOUCHED}
    exported = Exported(headrank.__version__, base, {GOLDEN: file_digest(made / GOLDEN)})
    description = {
        "schema": SCHEMA,
        "trained_as": saved.name,
        "backbone": facts.base_name,
        # A file has no revision: where it is from is in the entry of the export.
        "backbone_revision": None if base.file else base.revision,
        "backbone_fingerprint": fingerprint,
        "n_layers": saved.base.n_layers,
        "n_heads": saved.base.n_heads,
        "depth": saved.heads.depth,
        "weights_sha256": files[WEIGHTS],
        "files": files,
        "settings": to_mapping(saved.settings),
        KEY: describe_export(exported),
    }
    write_json(made / DESCRIPTION, description)
    write_text(made / CARD, card(facts))
