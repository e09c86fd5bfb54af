"""One family of tests for each backbone of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd

from headrank.evaluation.significance import Resampling, compare


def compare_on_each_backbone(
    values: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    settings: Resampling,
    family: Literal["benchmark", "table"] = "benchmark",
    averages: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """The result of ``compare`` for each backbone's methods: its columns (``p`` as ``p_value``) and ``backbone``.

    values: one metric, columns backbone, benchmark, method, qid, value. The first stage, whose backbone is empty, takes
    part in the tests of every backbone. A pair is left out if one of the two has no values on a backbone.
    """
    first, own = values[values["backbone"] == ""], values[values["backbone"] != ""]
    parts = []
    for backbone, rows in own.groupby("backbone", sort=False):
        both = pd.concat([first, rows])
        there = set(both["method"])
        tested = [pair for pair in pairs if set(pair) <= there]
        tests = compare(both, tested, settings, family=family, averages=averages)
        parts.append(tests.rename(columns={"p": "p_value"}).assign(backbone=backbone))
    return pd.concat(parts, ignore_index=True)
