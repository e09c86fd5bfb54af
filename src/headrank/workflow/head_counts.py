"""More heads asked for than a model has, told before anything is computed where the model's sizes are known by then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headrank.methods.entries.headrank import TRAINED
from headrank.methods.entry import Criterion
from headrank.methods.table import CRITERIA, HEAD_SETS
from headrank.planted.specs import BackboneSpec, RealTextSpec
from headrank.specs import read_spec
from headrank.workflow.limits import Limits
from headrank.workflow.settings import headrank_of, overlaid
from headrank.workflow.study import Study

# Where the settings that a criterion uses differ from those of the study, how, and the criterion.
Use = tuple[str, Mapping[str, Any], Criterion | None]
# Models that the study builds itself, from sizes in the configuration.
_BUILT: dict[str, type[BackboneSpec | RealTextSpec]] = {"planted": BackboneSpec, "realtext": RealTextSpec}


def faults_of_head_counts(config: Mapping[str, Any], data: str) -> Iterator[str]:
    """One line for each fault of a configuration that was checked and completed. data: the folder of local files.

    The head counts of the criteria that the study uses are looked at: those of the methods on frozen backbones, and of
    whatever is trained. Where a model's sizes are not known yet, the job that chooses its heads refuses them.
    """
    study = Study(config, data)
    limits = Limits(study)
    detected: list[Use] = [("headrank", {}, HEAD_SETS[name].criterion) for name in study.detected]
    for backbone in study.backbones:
        most = _heads_of(study, limits, backbone)
        if most is None:
            continue
        whole = headrank_of(config, backbone)
        used = list(detected)
        for name, over in study.trained.items():
            section = "variants" if name in config["variants"] else "trained_baselines"
            place = "headrank" if name == TRAINED or name in study.seeded else f"{section}.{name}"
            used.append((place, over, CRITERIA[overlaid(whole, over)["heads"]]))
        for place, over, criterion in used:
            asked = criterion.asked(overlaid(whole, over)) if criterion else None
            if criterion and asked is not None and asked > most:
                key = _key(place, over, config["backbones"][backbone], backbone, str(criterion.count))
                yield f"{key}: {asked} heads of backbone {backbone!r}, which has {most}; ask for fewer"


def _heads_of(study: Study, limits: Limits, backbone: str) -> int | None:
    spec = study.models.specs[backbone]
    if spec["source"] in _BUILT:
        made = read_spec(_BUILT[spec["source"]], spec[spec["source"]], f"backbones.{backbone}")
        return made.layers * made.heads
    shape = limits.shape_of(backbone)
    return shape.layers * shape.heads if shape else None


def _key(place: str, over: Mapping[str, Any], spec: Mapping[str, Any], backbone: str, count: str) -> str:
    """Where the configuration says how many heads: for a variant, for the backbone, or for all."""
    section, key = count.split(".")
    if key in over.get(section, {}):
        return f"{place}.{count}"
    own = key in spec.get("headrank", {}).get(section, {})
    return f"backbones.{backbone}.headrank.{count}" if own else f"headrank.{count}"
