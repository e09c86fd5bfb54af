"""What is trained and how it is saved: LoRA up to the deepest chosen head, and the adapter's folder (R10)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from headrank.data.atomic import whole_folder, write_json
from headrank.data.digests import file_digest
from headrank.engine.backbone import Backbone, identify
from headrank.engine.lora import without_copies
from headrank.engine.lora_files import WEIGHTS
from headrank.errors import InputError
from headrank.heads.head_set import HeadSet
from headrank.settings import TrainingSettings
from headrank.training.saved_adapter import DESCRIPTION, HEADS, SCHEMA, VOUCHED, read_adapter

QK = r"self_attn\.[qk]_proj"


def target_modules(layers: Iterable[int], modules: str, first: int = 0) -> str:
    """Regular expression for the projections that get LoRA; layers: those with chosen heads. None below ``first``.

    ``all``: all seven projections in the layers below the deepest of them, and only q and k in that one: its values,
    output and MLP, and everything above, never reach the read-out and would get no gradient. ``qk``: q and k in all
    layers up to the deepest. ``chosen-qk``: q and k of the given layers only.
    """
    chosen = sorted(set(layers))
    last = chosen[-1]
    below = [layer for layer in (chosen[:-1] if modules == "chosen-qk" else range(last)) if layer >= first]
    inner = r"(?:self_attn\.[qkvo]_proj|mlp\.(?:gate|up|down)_proj)" if modules == "all" else QK
    places = [*(rf"layers\.{layer}\.{inner}" for layer in below), rf"layers\.{last}\.{QK}"]
    return rf".*\.(?:{'|'.join(places)})"


def attach_lora(backbone: Backbone, heads: HeadSet, settings: TrainingSettings) -> Any:
    """Wrap the backbone's model in a LoRA adapter; returns the peft model, whose adapter alone is trainable."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=target_modules(
            (layer for layer, _ in heads.heads),
            settings.modules,
            round(settings.first_layer * backbone.n_layers),
        ),
        bias="none",
    )
    try:
        model = get_peft_model(backbone.model, config)
    except ValueError as error:
        raise InputError(f"{backbone.name}: cannot attach LoRA ({str(error).splitlines()[0]})") from error
    adapted = [name for name, _ in model.named_parameters() if "lora_" in name]
    for projection in ("q_proj", "k_proj"):
        # peft accepts any match, but without these two nothing that is read out would be trained.
        if not any(f"layers.{heads.deepest}.self_attn.{projection}." in name for name in adapted):
            raise InputError(
                f"{backbone.name}: cannot attach LoRA (no {projection} in layer {heads.deepest})"
            )
    without_copies(model)
    return model


def save_adapter(
    model: Any,
    directory: str | Path,
    backbone: Backbone,
    heads: HeadSet,
    settings: dict[str, Any],
    name: str | None = None,
) -> None:
    """Write the adapter's folder whole or not at all: weights, peft's configuration, head set and settings.

    name: what it was trained as, a method or a variant of a study; runs that it ranks carry it.
    """
    with whole_folder(directory) as made:
        model.peft_config["default"].base_model_name_or_path = backbone.name
        # Unless save_embedding_layers is off, peft looks for the base model's configuration, on the hub if there is no
        # such folder.
        model.save_pretrained(made, safe_serialization=True, save_embedding_layers=False)
        # peft's stub of a model card says nothing about this model.
        (made / "README.md").unlink(missing_ok=True)
        heads.save(made / HEADS)
        files = {file: file_digest(made / file) for file in VOUCHED}
        description = {
            "schema": SCHEMA,
            "trained_as": name,
            "backbone": backbone.name,
            "backbone_revision": backbone.revision,
            "backbone_fingerprint": backbone.identity.fingerprint,
            "n_layers": backbone.n_layers,
            "n_heads": backbone.n_heads,
            "depth": heads.depth,
            # What earlier versions read.
            "weights_sha256": files[WEIGHTS],
            "files": files,
            "settings": settings,
        }
        write_json(made / DESCRIPTION, description)


def check_adapter(directory: str | Path, backbone: str, revision: str | None = None) -> HeadSet:
    """The adapter's head set, after checking that the folder is as saved and the backbone the one it was made with."""
    adapter = read_adapter(directory)
    adapter.fits(identify(backbone, revision))
    return adapter.heads
