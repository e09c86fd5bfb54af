"""A metric against the number of training queries, as a mean over benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from headrank.evaluation.significance import Floats, Resampling, bootstrap_interval, mean_of_means


def query_curve(
    values: pd.DataFrame,
    variants: Mapping[str, int],
    references: Mapping[str, str],
    backbone: str,
    settings: Resampling,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The curve and the levels that are drawn beside it.

    values: one metric of one backbone and of the first stage, columns benchmark, method, qid, value. variants: method
    -> on how many queries it was trained. references: method -> the backbone that it is reported for. Curve: backbone,
    queries, value (of the metric), low, high (bootstrap interval). Levels: backbone, method, value. All are means over
    the benchmarks that the backbone ranks.
    """
    ranked = values.loc[values["method"].isin(list(variants)), "benchmark"].unique()
    values = values[values["benchmark"].isin(ranked)]

    def of(method: str) -> Sequence[Floats]:
        rows = values[values["method"] == method]
        return [part["value"].to_numpy() for _, part in rows.groupby("benchmark", sort=False)]

    curve = [
        (backbone, queries, mean_of_means(of(method)), *bootstrap_interval(of(method), settings))
        for method, queries in variants.items()
    ]
    levels = [(whose, method, mean_of_means(of(method))) for method, whose in references.items()]
    return (
        pd.DataFrame(curve, columns=["backbone", "queries", "value", "low", "high"]),
        pd.DataFrame(levels, columns=["backbone", "method", "value"]),
    )
