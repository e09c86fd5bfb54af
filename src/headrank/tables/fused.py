"""Every method's ranking fused with the first stage's: what a method knows that the first stage does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pandas as pd

from headrank.retrieval.fusion import K
from headrank.tables.main import main_table
from headrank.tables.marks import legend
from headrank.tables.means import averages_legend
from headrank.tables.names import method_name
from headrank.tables.table import Table

CAPTION = (
    "Every method fused with the first stage by reciprocal rank: what it knows that the first stage does not."
)
FRAMES = {"metrics": "fused", "marks": "significance-fused"}
OPTIONS = {
    "k": "fusion",
    "metric": "metric",
    "backbones": "backbones",
    "benchmarks": "panel",
    "averages": "averages",
    "alpha": "alpha",
    "first_stage": "first_stage",
}
NEEDS = ("fused",)


def fused_table(
    metrics: pd.DataFrame,
    marks: pd.DataFrame | None = None,
    *,
    k: int = K,
    metric: str = "nDCG@10",
    backbones: Sequence[str] | None = None,
    benchmarks: Sequence[str] | None = None,
    averages: Mapping[str, Sequence[str]] | None = None,
    alpha: float = 0.05,
    first_stage: str | None = None,
) -> Table:
    """One row per method and backbone, the first stage alone on top.

    metrics, marks and all else: see ``main_table``; the metrics are those of the fused rankings. k: the fusion's
    constant, for the caption.
    """
    baseline = "bm25"
    table = main_table(
        metrics,
        marks,
        baseline=baseline,
        metric=metric,
        backbones=backbones,
        benchmarks=benchmarks,
        averages=averages,
        alpha=alpha,
        first_stage=first_stage,
    )
    caption = (
        f"Each method's ranking fused with the first stage's by reciprocal rank (k = {k}): {metric}, beside the first "
        f"stage alone. Mean: unweighted over benchmarks.{averages_legend(averages or {})} Bold: best of each backbone."
    )
    if marks is not None:
        caption += f" {legend(method_name(baseline, first_stage), alpha)}"
    return dataclasses.replace(table, caption=caption, label="tab:fused")
