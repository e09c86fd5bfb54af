"""HeadRank against every other method: what the rows say, and what is refused."""

from __future__ import annotations

import pandas as pd
import pytest

from headrank.errors import InputError
from headrank.evaluation.significance import compare
from headrank.tables.rivals import rivals_table

VALUES = {"bm25": 0.3, "icr": 0.4, "rankgpt": 0.2, "headrank": 0.5}
METRICS = pd.DataFrame(
    [
        (benchmark, method, f"q{i}", value + 0.01 * (i % 3) * (method == "headrank"))
        for benchmark in ("dl19", "dl20")
        for method, value in VALUES.items()
        for i in range(12)
    ],
    columns=["benchmark", "method", "qid", "value"],
)
TESTS = compare(
    METRICS, [("headrank", name) for name in VALUES if name != "headrank"], averages={"dl": ["dl19", "dl20"]}
).assign(backbone="small")


def test_a_row_for_every_rival_by_kind():
    table = rivals_table(TESTS, panels=["dl"], averages=["dl"])
    assert [row[3].text for row in table.rows] == ["BM25", "ICR", "RankGPT"]
    assert [row[1].text for row in table.rows] == ["DL 2019–20"] * 3
    assert [row[4].value for row in table.rows] == pytest.approx([0.3, 0.4, 0.2])
    assert [row[6].value for row in table.rows] == pytest.approx([0.21, 0.11, 0.31])
    assert all(row[7].value <= row[6].value <= row[8].value for row in table.rows)
    assert all(row[9].value < 0.05 for row in table.rows)
    assert "95 %" in table.caption
    renamed = rivals_table(TESTS, panels=["dl"], first_stage="SPLADE")
    assert [row[3].text for row in renamed.rows] == ["SPLADE", "ICR", "RankGPT"]


def test_each_panel_has_its_group():
    table = rivals_table(TESTS, averages=["dl"])
    assert [group[0][1].text for group in table.groups] == ["DL 2019", "DL 2020", "mean of all", "DL 2019–20"]


def test_bad_frames_are_refused():
    with pytest.raises(InputError, match="p_holm"):
        rivals_table(TESTS.drop(columns="p_holm"))
    with pytest.raises(InputError):
        rivals_table(pd.concat([TESTS, TESTS]))
