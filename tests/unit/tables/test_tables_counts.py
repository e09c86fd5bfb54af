"""Selectivity, formatting success, cost and timing: the numbers in the cells, and bad counts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from headrank.errors import InputError
from headrank.tables.cost import cost_table
from headrank.tables.format import format_table
from headrank.tables.homogenisation import homogenisation_table
from headrank.tables.selectivity import selectivity_table
from headrank.tables.timing import read_benchmarks, timing_table

NAN = float("nan")

SELECTIVITY = pd.DataFrame(
    [
        ("large", "headrank", "irrelevant", 0.142, 2000, 0.15),
        ("large", "headrank", "relevant", 0.574, 68, 0.5),
        ("large", "core", "relevant", 0.3, 68, 0.3),
        ("large", "core", "irrelevant", 0.2, 2000, 0.2),
        ("small", "core", "irrelevant", 0.25, 1900, 0.25),
    ],
    columns=["backbone", "method", "group", "promoted", "n", "macro"],
)


def test_selectivity_shares_counts_and_gaps() -> None:
    table = selectivity_table(SELECTIVITY)
    printed = table.formatted()
    assert printed.columns.tolist()[2:7] == ["relevant", "relevant_n", "irrelevant", "irrelevant_n", "gap"]
    assert printed.iloc[1].tolist() == [
        "Large", "HeadRank", "57.4", "68", "14.2", "2\u2009000", "+43.2", "50.0", "15.0", "+35.0",
    ]  # fmt: skip
    assert printed.iloc[2].tolist()[2:7] == ["–", "0", "25.0", "1\u2009900", "–"]
    core, headrank = table.groups[0]
    assert [headrank[column].bold for column in (2, 3, 4, 5, 6)] == [True, False, True, False, True]
    assert not any(one.bold for one in core)
    assert headrank[6].value == pytest.approx(0.432)


def test_selectivity_without_macro_has_no_macro_columns() -> None:
    assert len(selectivity_table(SELECTIVITY.drop(columns="macro")).columns) == 7


def test_selectivity_has_the_gap_of_each_average() -> None:
    gaps = {("large", "headrank"): 0.4, ("large", "core"): 0.1, ("small", "core"): NAN}
    frame = SELECTIVITY.assign(
        gap_core14=[gaps[b, m] for b, m in SELECTIVITY[["backbone", "method"]].to_numpy()]
    )
    table = selectivity_table(frame, averages={"core14": ["nq", "fever"]})
    assert table.formatted()["gap_core14"].tolist() == ["+10.0", "+40.0", "–"]
    assert table.groups[0][1][7].bold
    assert "CoRe 14: gap pooled over" in table.caption
    with pytest.raises(InputError, match="gap_open14"):
        selectivity_table(frame, averages={"open14": ["nq"]})


def test_homogenisation_has_rows_for_each_average() -> None:
    rows = [("small", over, "headrank", 40, 0.2, 0.4, 0.3) for over in ("", "core14")]
    columns = ["backbone", "over", "method", "queries", "zone_cv", "adjacent_ratio", "zone_tau"]
    measures = pd.DataFrame(rows, columns=columns)
    table = homogenisation_table(measures, averages={"core14": ["nq", "fever"]})
    assert table.formatted()["over"].tolist() == ["all", "CoRe 14"]
    assert "CoRe 14: queries of" in table.caption
    plain = homogenisation_table(measures[measures["over"] == ""])
    assert "over" not in plain.formatted().columns
    assert len(plain.rows) == 1


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (SELECTIVITY.assign(promoted=57.4), "promoted must be a share from 0 to 1"),
        (
            SELECTIVITY.assign(group=SELECTIVITY["group"].str[:3]),
            "unknown group 'irr'; use relevant or irrelevant",
        ),
        (SELECTIVITY.assign(promoted=float("nan")), "promotes NaN of 2000 irrelevant documents"),
        (SELECTIVITY.drop(columns="promoted"), "missing column.* promoted"),
    ],
)
def test_selectivity_refuses_bad_shares(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        selectivity_table(frame)


def test_formatting_success_adds_benchmarks_up() -> None:
    counts = pd.DataFrame(
        [("small", "icr", 10, 10, 1, 0), ("small", "icr", 30, 29, 2, 4), ("", "bm25", 40, 40, 0, 0)],
        columns=["backbone", "method", "queries", "permutations", "ties", "empty_documents"],
    )
    printed = format_table(counts).formatted()
    assert printed.iloc[0].tolist() == ["Small", "ICR", "40", "39", "97.5", "3", "4"]
    assert printed.iloc[1].tolist() == ["–", "BM25", "40", "40", "100.0", "0", "0"]
    with pytest.raises(InputError, match=r"icr \(small\) has 41 permutations of 40 queries"):
        format_table(counts.assign(permutations=[11, 30, 40]))


ANSWERS = pd.DataFrame(
    [
        ("small", "rankgpt", 10, 10, 0, 0, 30, 12, 30),
        ("small", "rankgpt", 10, 10, 0, 0, 30, 18, 15),
        ("small", "icr", 20, 20, 1, 0, NAN, NAN, NAN),
        ("small", "setwise", 20, 20, 1, 0, NAN, NAN, NAN),
    ],
    columns=[
        "backbone", "method", "queries", "permutations", "ties", "empty_documents", "calls", "complete", "well_formed",
    ],
)  # fmt: skip


def test_formatting_success_of_answers_is_per_call() -> None:
    table = format_table(ANSWERS)
    keys = [column.key for column in table.columns]
    printed = table.formatted()
    assert printed["method"].tolist() == ["ICR", "RankGPT", "Setwise, heapsort"]
    assert printed["calls"].tolist() == ["–", "60", "–"]
    assert printed["complete"].tolist() == ["(100)", "50.0", "–"]
    assert printed["well_formed"].tolist() == ["(100)", "75.0", "–"]
    assert [row[keys.index("complete")].value for row in table.rows] == [None, 0.5, None]
    assert "by construction" in table.caption
    silent = format_table(ANSWERS[ANSWERS["method"] == "icr"])
    assert "complete" not in silent.formatted().columns
    assert "Complete" not in silent.caption


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (ANSWERS.drop(columns="complete"), r"missing column\(s\) complete"),
        (
            ANSWERS.assign(complete=[31, 18, NAN, NAN]),
            r"rankgpt \(small\) has calls 30, complete 31, well_formed 30",
        ),
        (
            ANSWERS.assign(well_formed=NAN),
            "rankgpt .* well_formed nan; complete and well_formed are counted among",
        ),
        (ANSWERS.assign(calls=[30, 0, NAN, NAN]), "rankgpt .* has calls 0"),
        (
            ANSWERS.assign(calls=[30, NAN] * 2, complete=[1, NAN] * 2, well_formed=[1, NAN] * 2),
            r"rankgpt \(small\) has calls on some benchmarks only",
        ),
    ],
)
def test_formatting_success_refuses_answers_that_cannot_be(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        format_table(frame)


COSTS = pd.DataFrame(
    [
        ("small", "rankgpt", 6, 6, NAN, 123.25, 12345.4, 120.25, NAN),
        ("small", "icr", 6, 6, 48, 1, 600.4, 0, 1.95),
        ("small", "headrank", 4, 6, 8, 1, 600.4, 0, 0.61),
    ],
    columns=[
        "backbone", "method", "layers_run", "layers_total", "heads", "forward_passes", "prompt_tokens", "new_tokens",
        "share",
    ],
)  # fmt: skip


def test_cost_marks_the_cheapest() -> None:
    table = cost_table(COSTS)
    printed = table.formatted()
    assert printed.iloc[0].tolist()[2:] == ["6", "6", "48", "1", "600", "0", "195.0"]
    assert printed.iloc[2].tolist()[2:] == ["6", "6", "–", "123.25", "12\u2009345", "120.2", "–"]
    assert [row[8].bold for row in table.rows] == [False, True, False]
    assert table.rows[2][4].value is None
    assert table.rows[2][6].value == 12345.4


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (COSTS.assign(layers_run=[6, 7, 4]), r"icr \(small\) runs 7 of 6 layers"),
        (COSTS.assign(new_tokens=[NAN, 0, 0]), "new_tokens are not finite"),
        (COSTS.assign(heads=[NAN, -1, 0]), r"icr \(small\) has heads -1"),
        (COSTS.assign(share=float("inf")), "has share inf"),
        (COSTS.drop(columns="new_tokens"), r"missing column\(s\) new_tokens"),
    ],
)
def test_cost_refuses_what_cannot_be(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        cost_table(frame)


HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def benchmark(path: Path, seconds: str, memory: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{seconds}\t0:00:01\t{memory}\t1\t1\t1\t-\tNA\t99.0\t1.5\n", encoding="utf-8")


def test_timing_sums_jobs_per_rule(tmp_path: Path) -> None:
    benchmark(tmp_path / "train" / "small" / "headrank.tsv", "10.0", "500.25")
    benchmark(tmp_path / "train" / "large" / "headrank.tsv", "20.5", "900.5")
    benchmark(tmp_path / "retrieve" / "dl19.tsv", "0.25", "-")
    benchmark(tmp_path / "report.tsv", "1.0", "80")
    frame = read_benchmarks(tmp_path)
    assert frame["rule"].tolist() == ["report", "retrieve", "train", "train"]
    assert frame["job"].tolist() == ["", "dl19", "large/headrank", "small/headrank"]
    printed = timing_table(frame).formatted()
    assert printed.iloc[0].tolist() == ["train", "2", "30.5", "20.5", "900"]
    assert printed.iloc[2].tolist() == ["retrieve", "1", "0.2", "0.2", "–"]
    assert printed.iloc[3].tolist() == ["All rules", "4", "31.8", "20.5", "900"]
    first = timing_table(frame, rules=["retrieve", "train"]).formatted()
    assert first["rule"].tolist() == ["retrieve", "train", "All rules"]
    assert first["jobs"].tolist() == ["1", "2", "3"]


def test_timing_names_a_missing_or_broken_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no benchmark files"):
        read_benchmarks(tmp_path)
    broken = tmp_path / "train" / "small.tsv"
    benchmark(broken, "soon", "1")
    with pytest.raises(InputError, match=r"train/small\.tsv: .*delete it and rerun"):
        read_benchmarks(tmp_path)
    broken.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"train/small\.tsv: no readable benchmark file"):
        read_benchmarks(tmp_path)
