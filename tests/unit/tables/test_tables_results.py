"""Main results and ablations: the numbers in the cells, the best ones, the marks."""

from __future__ import annotations

import pandas as pd
import pytest

from headrank.errors import InputError
from headrank.tables.ablation import ablation_table
from headrank.tables.main import main_table
from headrank.tables.table import Cell, Table
from headrank.tables.write import to_latex

METRICS = ["backbone", "benchmark", "method", "qid", "metric", "value"]
MARKS = ["backbone", "benchmark", "method", "baseline", "difference", "p", "p_holm", "significant"]


def metrics(values: dict[tuple[str, str, str], tuple[float, ...]]) -> pd.DataFrame:
    """(backbone, benchmark, method) -> one value per query."""
    rows = [
        (*key, f"q{number}", "nDCG@10", value)
        for key, per_query in values.items()
        for number, value in enumerate(per_query)
    ]
    return pd.DataFrame(rows, columns=METRICS)


MAIN = metrics(
    {
        ("", "dl19", "bm25"): (0.2, 0.4),
        ("", "dl20", "bm25"): (0.5,),
        ("small", "dl19", "headrank"): (0.6, 0.8),
        ("small", "dl20", "headrank"): (0.4,),
        ("small", "dl19", "core"): (0.5, 0.7),
        ("small", "dl20", "core"): (0.45,),
        ("large", "dl19", "core"): (0.9, 0.9),
    }
)


def cell(table: Table, backbone: str, method: str, column: str) -> Cell:
    place = [one.key for one in table.columns].index(column)
    (row,) = [row for row in table.rows if row[0].value == backbone and row[2].value == method]
    return row[place]


def test_main_means_are_over_queries_then_benchmarks() -> None:
    table = main_table(MAIN)
    assert [row[2].text for row in table.rows] == ["BM25", "CoRe", "HeadRank", "CoRe"]
    assert [row[0].text for row in table.rows] == ["–", "Small", "Small", "Large"]
    assert [column.key for column in table.columns] == ["backbone", "kind", "method", "dl19", "dl20", "mean"]
    assert [column.title for column in table.columns[2:]] == ["Method", "DL 2019", "DL 2020", "Mean"]
    assert cell(table, "", "bm25", "mean").value == pytest.approx(0.4)
    assert cell(table, "small", "headrank", "dl19").value == pytest.approx(0.7)
    assert cell(table, "small", "headrank", "mean").text == "0.550"


def test_main_has_no_mean_over_fewer_benchmarks() -> None:
    table = main_table(MAIN)
    assert cell(table, "large", "core", "dl20").text == "–"
    assert cell(table, "large", "core", "mean") == Cell(None, "–")


def test_averages_stand_behind_the_mean_each_over_its_own_benchmarks() -> None:
    frame = pd.concat([MAIN, metrics({("small", "nq", "core"): (0.1,), ("small", "nq", "headrank"): (0.0,)})])
    averages = {"core14": ["dl20", "nq"], "one": ["dl19"]}
    table = main_table(frame, averages=averages)
    assert [column.key for column in table.columns[-4:]] == ["nq", "mean", "core14", "one"]
    assert [column.title for column in table.columns[-2:]] == ["CoRe 14", "One"]
    assert cell(table, "small", "core", "core14").value == pytest.approx((0.45 + 0.1) / 2)
    assert cell(table, "small", "headrank", "core14").value == pytest.approx((0.4 + 0.0) / 2)
    assert cell(table, "small", "core", "mean").value == pytest.approx((0.6 + 0.45 + 0.1) / 3)
    assert cell(table, "small", "core", "core14").bold
    assert cell(table, "small", "headrank", "one").bold
    assert cell(table, "large", "core", "core14") == Cell(None, "–")
    assert cell(table, "large", "core", "one").value == pytest.approx(0.9)
    assert "CoRe 14: unweighted mean over DL 2020, NQ. One: unweighted mean over DL 2019." in table.caption
    with pytest.raises(InputError, match="average x: no rows for dl21; evaluated are dl19, dl20, nq"):
        main_table(frame, averages={"x": ["dl19", "dl21"]})


def test_main_best_is_per_backbone() -> None:
    table = main_table(MAIN)
    bold = {(row[0].value, row[2].value): [one.bold for one in row[3:]] for row in table.rows}
    assert bold["small", "headrank"] == [True, False, True]
    assert bold["small", "core"] == [False, True, False]
    assert not any(bold["", "bm25"] + bold["large", "core"])


def test_main_is_grouped_by_kind_within_each_backbone() -> None:
    names = ["headrank", "k-4", "rankgpt", "icr", "qwen3-reranker", "icr-null-only", "qrranker"]
    frame = metrics({("small", "dl19", name): (0.1 * place,) for place, name in enumerate(names)})
    frame = pd.concat([frame, frame.assign(backbone="large")])
    table = main_table(pd.concat([frame, metrics({("", "dl19", "bm25"): (0.3,)})]))
    small = [row for row in table.rows if row[0].value == "small"]
    assert [row[2].value for row in small] == [
        "icr", "icr-null-only", "qrranker", "headrank", "k-4", "rankgpt", "qwen3-reranker",
    ]  # fmt: skip
    kinds = ["frozen", "frozen", "trained", "trained", "trained", "generative", "supervised"]
    assert [row[1].value for row in small] == kinds
    named = [
        "Decoding-free, frozen",
        "",
        "Decoding-free, trained",
        "",
        "",
        "Generative, zero-shot",
        "Supervised",
    ]
    assert [row[1].text for row in small] == named
    assert [len(group) for group in table.groups] == [1, 2, 3, 1, 1, 2, 3, 1, 1]
    assert [row[2].value for row in small if row[3].bold] == ["qrranker"]  # best of all kinds
    text = to_latex(table)
    assert text.count(r"\midrule") == 3
    assert text.count(r"\addlinespace") == 6
    assert text.count(r"\textbf{Small}") == 1
    assert text.count(r"\textit{Decoding-free, frozen}") == 2
    assert "\nMethod & DL 2019 & Mean" in text


def test_main_order_of_methods_is_kept_within_their_kind() -> None:
    frame = metrics({("small", "dl19", name): (0.5,) for name in ("rankgpt", "core", "icr", "headrank")})
    table = main_table(frame, methods=["headrank", "core", "rankgpt", "icr"])
    assert [row[2].value for row in table.rows] == ["core", "icr", "headrank", "rankgpt"]


def test_main_marks_tell_better_from_worse() -> None:
    marks = pd.DataFrame(
        [
            ("small", "dl19", "headrank", "core", 0.1, 0.001, 0.004, True),
            ("small", "dl20", "headrank", "core", -0.05, 0.001, 0.004, True),
            ("small", "mean", "headrank", "core", 0.02, 0.4, 0.8, False),
            ("small", "dl19", "headrank", "icr", -0.1, 0.001, 0.004, True),
        ],
        columns=MARKS,
    )
    table = main_table(MAIN, marks)
    assert [cell(table, "small", "headrank", name).mark for name in ("dl19", "dl20", "mean")] == [
        "†",
        "‡",
        "",
    ]
    assert cell(table, "small", "core", "dl19").mark == ""
    assert "than CoRe" in table.caption
    assert cell(main_table(MAIN, marks, baseline="icr"), "small", "headrank", "dl19").mark == "‡"
    assert cell(main_table(MAIN, marks, benchmarks=["dl19"]), "small", "headrank", "mean").mark == "†"
    with pytest.raises(InputError, match="no test against qrhead; tested against core, icr"):
        main_table(MAIN, marks, baseline="qrhead")


def test_main_order_and_choice_can_be_given() -> None:
    table = main_table(MAIN, backbones=["large", "small"], benchmarks=["dl19"], methods=["core"])
    assert [(row[0].value, row[2].value) for row in table.rows] == [("large", "core"), ("small", "core")]
    assert cell(table, "large", "core", "mean").value == pytest.approx(0.9)
    with pytest.raises(InputError, match="no rows for huge; it has small, large"):
        main_table(MAIN, backbones=["huge"])


def test_main_refuses_means_over_different_queries() -> None:
    partial = MAIN[~((MAIN["method"] == "headrank") & (MAIN["qid"] == "q1"))]
    with pytest.raises(
        InputError, match=r"headrank \(small\) and bm25 .* queries of dl19 \(1 differ, first q1\)"
    ):
        main_table(partial)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (MAIN.drop(columns="qid"), "missing column.* qid"),
        (MAIN.iloc[:0], "no rows"),
        (MAIN.assign(metric="P@5"), r"metrics \(nDCG@10\): no such rows; it has P@5"),
        (pd.concat([MAIN, MAIN]), "more than one row"),
        (MAIN.assign(value=float("nan")), "not finite"),
    ],
)
def test_main_refuses_bad_metrics(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        main_table(frame)


ABLATION = metrics(
    {
        ("", "a", "bm25"): (0.9, 0.9),
        ("small", "a", "headrank"): (0.9, 0.9),
        ("small", "a", "headrank-untrained"): (0.1, 0.1),
        ("medium", "a", "core"): (0.99, 0.99),
        ("medium", "a", "k-16"): (0.7, 0.71),
        ("medium", "a", "k-4"): (0.6, 0.6),
        ("medium", "a", "no-entropy"): (0.5, 0.6),
        ("medium", "a", "headrank-untrained"): (0.4, 0.4),
        ("medium", "a", "headrank"): (0.7, 0.7),
    }
)
ABLATION = pd.concat([ABLATION, ABLATION.assign(benchmark="b")], ignore_index=True)
ABLATION_MARKS = pd.DataFrame(
    [
        ("medium", "mean", "no-entropy", "headrank", -0.15, 0.0001, 0.0004, True),
        ("medium", "mean", "k-16", "headrank", 0.005, 0.5, 0.9, False),
        ("medium", "a", "k-4", "headrank", -0.1, 0.001, 0.001, True),
    ],
    columns=MARKS,
)
SELECTIVITY = pd.DataFrame(
    [
        ("medium", "headrank", "relevant", 0.574, 100),
        ("medium", "headrank", "irrelevant", 0.142, 1000),
        ("medium", "no-entropy", "relevant", 0.3, 100),
        ("medium", "no-entropy", "irrelevant", 0.35, 1000),
    ],
    columns=["backbone", "method", "group", "promoted", "n"],
)


def test_ablation_rows_are_the_variants_of_the_ablated_backbone() -> None:
    table = ablation_table(ABLATION, ABLATION_MARKS, SELECTIVITY)
    names = ["HeadRank", "no training", "no entropy term (λ = 0)", "K = 4", "K = 16"]
    assert [row[0].text for row in table.rows] == names
    printed = table.formatted()
    assert printed["mean"].tolist() == ["0.700", "0.400", "0.550", "0.600", "0.705"]
    assert printed["difference"].tolist() == ["–", "−0.300", "−0.150‡", "−0.100", "+0.005"]
    assert printed["p_holm"].tolist() == ["–", "–", "<0.001", "–", "0.900"]
    assert printed["gap"].tolist() == ["+43.2", "–", "−5.0", "–", "–"]
    assert [row[1].bold for row in table.rows] == [False, False, False, False, True]
    assert [row[4].bold for row in table.rows] == [True, False, False, False, False]
    assert "(Medium)" in table.caption


def test_ablation_shows_averages_beside_the_mean() -> None:
    frame = ABLATION.assign(value=ABLATION["value"].where(ABLATION["benchmark"] == "a", 0.0))
    table = ablation_table(frame, ABLATION_MARKS, SELECTIVITY, averages={"short": ["a"]})
    assert [column.key for column in table.columns] == [
        "variant", "mean", "short", "difference", "p_holm", "gap",
    ]  # fmt: skip
    printed = table.formatted()
    assert printed["mean"].tolist() == ["0.350", "0.200", "0.275", "0.300", "0.352"]
    assert printed["short"].tolist() == ["0.700", "0.400", "0.550", "0.600", "0.705"]
    assert [row[2].bold for row in table.rows] == [False, False, False, False, True]
    assert [row[5].bold for row in table.rows] == [True, False, False, False, False]
    assert not any(row[3].bold or row[4].bold for row in table.rows)
    assert "Short: unweighted mean over A." in table.caption


def test_ablation_of_several_backbones_names_them() -> None:
    table = ablation_table(ABLATION, backbones=["small", "medium"])
    assert table.columns[0].key == "backbone"
    assert [len(group) for group in table.groups] == [2, 5]
    assert [row[2].bold for row in table.groups[0]] == [True, False]


def test_ablation_needs_variants_and_the_full_method() -> None:
    with pytest.raises(InputError, match="no variants besides headrank"):
        ablation_table(ABLATION[ABLATION["backbone"] == "small"])
    with pytest.raises(InputError, match="headrank of medium is not evaluated"):
        ablation_table(ABLATION[ABLATION["method"] != "headrank"])
