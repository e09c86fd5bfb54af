"""Controls of head choice: means, spread, the best layer, the rank among draws, and frames that do not fit."""

from __future__ import annotations

import statistics

import pandas as pd
import pytest

from headrank.errors import InputError
from headrank.tables.controls import controls_table

BENCHMARKS = ("dl19", "dl20")
LAYERS = pd.DataFrame(
    [
        ("small", name, layer, 0.1 * layer + 0.1 * (name == "dl20"))
        for name in BENCHMARKS
        for layer in (2, 0, 1)
    ],
    columns=["backbone", "benchmark", "layer", "value"],
)
DRAWS = pd.DataFrame(
    [
        ("small", name, draw, 0.2 + 0.05 * draw + 0.1 * (name == "dl20"))
        for name in BENCHMARKS
        for draw in range(4)
    ],
    columns=["backbone", "benchmark", "draw", "value"],
)
REFERENCES = pd.DataFrame(
    [
        ("small", "dl19", "headrank-untrained", 0.5),
        ("small", "dl20", "headrank-untrained", 0.7),
        ("small", "dl19", "icr", 0.3),
        ("small", "dl20", "icr", 0.3),
        ("small", "dl23", "icr", 0.9),
    ],
    columns=["backbone", "benchmark", "method", "value"],
)


def test_controls_are_means_over_the_benchmarks_of_the_draws() -> None:
    table = controls_table(LAYERS, DRAWS, REFERENCES)
    rows = {row[1].value: row for row in table.rows}
    assert list(rows) == ["random", "best-layer", "icr", "headrank-untrained"]
    draws = [0.25, 0.3, 0.35, 0.4]
    assert [cell.value for cell in rows["random"][2:6]] == pytest.approx(
        [statistics.mean(draws), statistics.stdev(draws), 0.25, 0.4]
    )
    assert rows["random"][1].text == "Random heads, 4 draws"
    assert rows["best-layer"][2].value == pytest.approx(0.25)
    assert rows["best-layer"][6].value == 2
    assert rows["icr"][2].value == pytest.approx(0.3)  # without dl23, which has no draws
    assert rows["headrank-untrained"][2].value == pytest.approx(0.6)
    assert [row[2].bold for row in table.rows] == [False, False, False, True]
    assert "mean over 2 benchmarks" in table.caption


def test_controls_rank_counts_the_draws_above() -> None:
    table = controls_table(LAYERS, DRAWS, REFERENCES)
    assert table.formatted()["rank"].tolist() == ["–", "4 of 5", "3 of 5", "1 of 5"]
    assert [row[7].value for row in table.rows] == [None, 4, 3, 1]


def test_controls_of_one_draw_and_one_benchmark() -> None:
    table = controls_table(LAYERS, DRAWS[DRAWS["draw"] == 1], REFERENCES, benchmarks=["dl19"])
    first = table.formatted().iloc[0]
    assert (first["heads"], first["value"], first["deviation"]) == ("Random heads, 1 draw", "0.250", "–")
    assert "mean over 1 benchmark." in table.caption


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (
            (LAYERS, DRAWS, REFERENCES[REFERENCES["method"] == "icr"]),
            "no rows for headrank-untrained of small",
        ),
        ((LAYERS, DRAWS.iloc[:-1], REFERENCES), "random draws: draw 3 of small has 1 of 2 benchmarks"),
        ((LAYERS[LAYERS["benchmark"] == "dl19"], DRAWS, REFERENCES), "layer controls: no rows for dl20"),
        (
            (LAYERS.assign(backbone="large"), DRAWS, REFERENCES),
            "layer controls: no rows for small; it has large",
        ),
        ((LAYERS, DRAWS.drop(columns="draw"), REFERENCES), r"random draws: missing column\(s\) draw"),
        ((LAYERS, DRAWS.assign(value=float("nan")), REFERENCES), "value are not finite"),
        ((LAYERS, pd.concat([DRAWS, DRAWS]), REFERENCES), "random draws: more than one row"),
    ],
)
def test_controls_that_do_not_fit_are_refused(frames: tuple[pd.DataFrame, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        controls_table(*frames)


def test_averages_stand_below_the_mean_over_all() -> None:
    whole = controls_table(LAYERS, DRAWS, REFERENCES)
    alone = controls_table(LAYERS, DRAWS, REFERENCES, benchmarks=["dl19"])
    both = controls_table(LAYERS, DRAWS, REFERENCES, averages={"first": ["dl19"]})
    assert [c.key for c in both.columns][:3] == ["backbone", "panel", "heads"]
    without = [[cell.text for i, cell in enumerate(row) if i != 1] for row in both.rows]
    by_panel = {
        panel: [texts for row, texts in zip(both.rows, without, strict=True) if row[1].value == panel]
        for panel in {row[1].value for row in both.rows}
    }
    assert by_panel["first"] == [[cell.text for cell in row] for row in alone.rows]
    (rest,) = [rows for panel, rows in by_panel.items() if panel != "first"]
    assert rest == [[cell.text for cell in row] for row in whole.rows]
