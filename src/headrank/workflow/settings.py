"""HeadRank's settings on a backbone and in a variant: those of the study, with the keys that either changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headrank.workflow.study import Config, Study

# The settings that a ranking by a trained adapter depends on.
RANKED_BY = ("prompt", "encoding", "query_span", "document_span", "candidates", "mass", "loss", "inference")
# Those that its training depends on.
TRAINED_BY = (
    *("prompt", "encoding", "query_span", "document_span", "candidates", "mass", "lists", "pairs", "loss"),
    *("regulariser", "training", "inference"),
)


def overlaid(base: Config, over: Config) -> dict[str, Any]:
    """``base`` with the nested keys of ``over`` in place of its own."""
    both = {key: overlaid(base[key], over[key]) for key in over if isinstance(base.get(key), Mapping)}
    return {**base, **over, **both}


def headrank_of(config: Config, backbone: str | None) -> dict[str, Any]:
    """HeadRank's settings on a backbone; those of the study where no backbone is given."""
    whole: dict[str, Any] = config["headrank"]
    if backbone is None:
        return whole
    spec = config["backbones"][backbone]
    whole = overlaid(whole, spec.get("headrank", {}))
    return overlaid(whole, {"prompt": {"family": spec["family"]}}) if spec["family"] else whole


def settings_of(
    study: Study, sections: Sequence[str], backbone: str | None, variant: str = "headrank"
) -> dict[str, Any]:
    """These sections of ``headrank`` for a backbone and a variant."""
    whole = overlaid(headrank_of(study.config, backbone), study.trained.get(variant, {}))
    return {section: whole[section] for section in sections}


def criteria(study: Study) -> list[str]:
    """Methods whose criteria choose the heads that are trained."""
    chosen = [
        settings_of(study, ["heads"], b, name)["heads"] for b in study.backbones for name in study.trained
    ]
    return list(dict.fromkeys(chosen))


def samples(study: Study, pool: str) -> int:
    """Lists drawn per query: as many as heads are judged on and, for training queries, as any training run sees."""
    most = 0
    for backbone in study.config["backbones"].values():
        # Heads are detected even without training.
        for over in study.trained.values() or [{}]:
            whole = overlaid(overlaid(study.config["headrank"], backbone.get("headrank", {})), over)
            seen = whole["lists"]["per_query_per_epoch"] * whole["training"]["epochs"]
            most = max(
                most, seen if pool == "training" and study.trains else 0, whole["selection"]["permutations"]
            )
    return most


def training_queries(study: Study, backbone: str | None, variant: str) -> int | None:
    """How many training queries an adapter may use; None for all."""
    queries: int | None = settings_of(study, ["training"], backbone, variant)["training"]["queries"]
    return queries
