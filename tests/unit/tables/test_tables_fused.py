"""Methods fused with the first stage: the rows of the main table, under a caption of their own."""

from __future__ import annotations

import pandas as pd

from headrank.evaluation.significance import compare
from headrank.tables.fused import fused_table

VALUES = {("", "bm25"): 0.3, ("small", "icr"): 0.3, ("small", "headrank"): 0.5}
METRICS = pd.DataFrame(
    [
        (backbone, "dl19", method, f"q{i}", "nDCG@10", value + 0.01 * (i % 3))
        for (backbone, method), value in VALUES.items()
        for i in range(12)
    ],
    columns=["backbone", "benchmark", "method", "qid", "metric", "value"],
)
MARKS = compare(METRICS, [("icr", "bm25"), ("headrank", "bm25")]).assign(backbone="small")


def test_each_method_stands_below_the_first_stage() -> None:
    table = fused_table(METRICS, MARKS, k=7)
    assert [row[2].text for row in table.rows] == ["BM25", "ICR", "HeadRank"]
    assert "(k = 7)" in table.caption
    assert "better (worse) than BM25" in table.caption
    assert table.label == "tab:fused"
    assert [row[3].mark != "" for row in table.rows] == [False, False, True]


def test_the_first_stage_is_called_what_the_study_calls_it() -> None:
    table = fused_table(METRICS, MARKS, first_stage="SPLADE")
    assert [row[2].text for row in table.rows] == ["SPLADE", "ICR", "HeadRank"]
    assert "better (worse) than SPLADE" in table.caption


def test_without_tests_there_are_no_marks() -> None:
    table = fused_table(METRICS)
    assert "significantly" not in table.caption
    assert not any(cell.mark for row in table.rows for cell in row)
