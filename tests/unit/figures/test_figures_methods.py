"""Figures that compare many methods: both files, equal bytes, what is drawn, and what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from headrank.errors import InputError
from headrank.figures.controls import controls_figure
from headrank.figures.head_maps import head_maps_figure
from headrank.figures.overlap import overlap_figure
from headrank.figures.routes import routes_figure
from headrank.figures.style import save_figure
from headrank.figures.success import success_figure

pytestmark = pytest.mark.slow

NAN = float("nan")

SELECTED = pd.DataFrame(
    [
        ("small", "headrank", 1, 0),
        ("small", "headrank", 1, 1),
        ("small", "headrank", 2, 3),
        ("small", "core", 1, 0),
        ("small", "core", 1, 1),
        ("small", "qrhead", 0, 0),
        ("large", "headrank", 4, 3),
        ("large", "core", 4, 3),
    ],
    columns=["backbone", "method", "layer", "head"],
)
SCORES = pd.DataFrame(
    [
        (backbone, method, layer, head, f"{method}-score", scale * (layer - 0.5 * head))
        for backbone, layers in (("small", 3), ("large", 5))
        for method, scale in (("qrhead", 100.0), ("core", 1.0), ("headrank", -3.0))
        for layer in range(layers)
        for head in range(4)
    ],
    columns=["backbone", "method", "layer", "head", "statistic", "value"],
)
ROUTES = pd.DataFrame(
    [
        ("small", "dl19", "q1", 2, 1),
        ("small", "dl19", "q1", 1, 3),
        ("small", "dl19", "q2", 2, 1),
        ("small", "dl20", "q1", 10, 0),
        ("large", "dl19", "q1", 0, 0),
    ],
    columns=["backbone", "benchmark", "qid", "layer", "head"],
)
COUNTS = pd.DataFrame(
    [
        ("small", "rankgpt", 10, 4, 6),
        ("small", "rankgpt", 30, 4, 6),
        ("large", "rankgpt", 40, 40, 40),
        ("large", "setwise", 40, 10, 20),
        ("small", "icr", NAN, NAN, NAN),
    ],
    columns=["backbone", "method", "calls", "complete", "well_formed"],
)
LAYERS = pd.DataFrame(
    [
        (backbone, name, layer, 0.1 * layer + 0.2 * (name == "dl20"))
        for backbone in ("small", "large")
        for name in ("dl19", "dl20")
        for layer in (2, 0, 1)
    ],
    columns=["backbone", "benchmark", "layer", "value"],
)
DRAWS = LAYERS.rename(columns={"layer": "draw"}).assign(value=lambda frame: frame["value"] + 0.05)
REFERENCES = pd.DataFrame(
    [
        (backbone, name, method, 0.4 + 0.2 * (name == "dl20"))
        for backbone in ("small", "large")
        for name in ("dl19", "dl20")
        for method in ("icr", "headrank-untrained", "bm25")
    ],
    columns=["backbone", "benchmark", "method", "value"],
)

Draw = Callable[[], Figure]
FIGURES: dict[str, Draw] = {
    "overlap": lambda: overlap_figure(SELECTED),
    "head_maps": lambda: head_maps_figure(SCORES, SELECTED),
    "routes": lambda: routes_figure(ROUTES),
    "success": lambda: success_figure(COUNTS),
    "controls": lambda: controls_figure(LAYERS, DRAWS, REFERENCES),
    "overlap of one": lambda: overlap_figure(SELECTED, backbones=["small"]),
    "head_maps of one": lambda: head_maps_figure(SCORES, SELECTED, backbones=["small"]),
    "head_maps by rank": lambda: head_maps_figure(SCORES, SELECTED, scaling="rank"),
    "routes of one": lambda: routes_figure(ROUTES, backbones=["small"]),
    "success of one": lambda: success_figure(COUNTS, backbones=["small"]),
    "controls of one": lambda: controls_figure(LAYERS, DRAWS, REFERENCES, backbones=["small"]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_both_files_are_written_with_equal_bytes_each_time(name: str, tmp_path: Path) -> None:
    contents = []
    for place in (tmp_path / "one", tmp_path / "two"):
        pdf, png = place / "figure.pdf", place / "figure.png"
        with matplotlib.rc_context({"font.size": 8 if place.name == "one" else 21, "axes.facecolor": "red"}):
            save_figure(FIGURES[name](), pdf=pdf, png=png)
        contents.append((pdf.read_bytes(), png.read_bytes()))
    assert contents[0] == contents[1]
    assert contents[0][0].startswith(b"%PDF-")
    assert b"/Type3" not in contents[0][0]
    assert contents[0][1].startswith(b"\x89PNG")


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_drawn_outside_the_page(name: str) -> None:
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    box = figure.get_tightbbox()
    assert width in (3.3, 6.9)
    assert box.x0 >= -0.02
    assert box.y0 >= -0.02
    assert box.x1 <= width + 0.02
    assert box.y1 <= height + 0.02


def panels_of(figure: Figure) -> list[matplotlib.axes.Axes]:
    return [axes for axes in figure.axes if axes.images]


def test_overlap_counts_shared_heads_and_colours_their_jaccard_index() -> None:
    small, large = panels_of(overlap_figure(SELECTED))
    assert [label.get_text() for label in small.get_yticklabels()] == ["QRHead", "CoRe", "HeadRank"]
    counts = {text.get_position(): text.get_text() for text in small.texts}
    assert counts == {(0, 0): "1", (0, 1): "0", (1, 1): "2", (0, 2): "0", (1, 2): "2", (2, 2): "3"}
    index = np.ma.filled(small.images[0].get_array(), NAN)
    assert index[2, 1] == pytest.approx(2 / 3)
    assert np.isnan(index[1, 2])
    assert {text.get_position() for text in large.texts} == {(1, 1), (1, 2), (2, 2)}  # no QRHead there


def test_head_maps_are_scaled_one_by_one_and_ring_their_own_heads() -> None:
    figure = head_maps_figure(SCORES, SELECTED)
    maps = panels_of(figure)
    assert len(maps) == 6
    for axes in maps:
        values = axes.images[0].get_array()
        assert (values.mean(), values.std()) == pytest.approx((0, 1))
    assert len({axes.images[0].get_clim() for axes in maps}) == 1
    titles = {axes.get_ylabel().split("\n")[0]: axes for axes in maps if axes.get_ylabel()}
    assert list(titles) == ["QRHead", "CoRe", "HeadRank"]
    rings = {name: sorted(zip(*axes.lines[0].get_data(), strict=True)) for name, axes in titles.items()}
    assert rings == {"QRHead": [(0, 0)], "CoRe": [(0, 1), (1, 1)], "HeadRank": [(0, 1), (1, 1), (3, 2)]}
    positive, negative = (np.asarray(titles[name].images[0].get_array()) for name in ("CoRe", "HeadRank"))
    assert positive == pytest.approx(-negative)


def test_head_maps_by_rank_run_from_the_worst_head_to_the_best() -> None:
    maps = panels_of(head_maps_figure(SCORES, SELECTED, scaling="rank", methods=["core"]))
    values = maps[0].images[0].get_array()
    assert maps[0].images[0].get_clim() == (0, 1)
    assert values[2, 0] == 1  # highest layer, first head
    assert values[0, 3] == 0
    lowest = np.sort(np.asarray(values).ravel())[:4]
    assert lowest == pytest.approx(np.array([0, 1, 2.5, 2.5]) / 11)  # the last two tie


def test_head_maps_leave_room_for_a_criterion_without_scores() -> None:
    partial = SCORES[~((SCORES["backbone"] == "large") & (SCORES["method"] == "core"))]
    figure = head_maps_figure(partial, SELECTED)
    assert len(panels_of(figure)) == 5
    assert [text.get_text() for axes in figure.axes for text in axes.texts] == ["no scores"]


def test_routes_are_shares_of_queries_in_order_of_layers() -> None:
    small, large = panels_of(routes_figure(ROUTES))
    share = np.ma.filled(small.images[0].get_array(), NAN)
    assert share.tolist() == [[50, 100, 0], [0, 0, 100]]
    assert [label.get_text() for label in small.get_xticklabels()] == ["1", "2", "10"]
    assert [label.get_text() for label in small.get_yticklabels()] == ["DL 2019 (1.5)", "DL 2020 (1.0)"]
    assert small.get_title(loc="left") == "Small: 3 heads"
    # A benchmark without routes of this backbone is grey, not zero.
    assert np.isnan(np.ma.filled(large.images[0].get_array(), NAN)[1]).all()


def test_routes_of_many_layers_have_labels_that_do_not_touch() -> None:
    many = pd.DataFrame(
        [("small", "dl19", "q1", layer, head) for layer in range(60) for head in range(1 + layer % 3)],
        columns=ROUTES.columns,
    )
    figure = routes_figure(many)
    figure.draw_without_rendering()
    boxes = [
        label.get_window_extent() for label in panels_of(figure)[0].get_xticklabels() if label.get_text()
    ]
    assert 10 < len(boxes) < 60
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_success_adds_benchmarks_up_and_leaves_out_methods_without_answers() -> None:
    figure = success_figure(COUNTS)
    complete, well_formed = figure.axes
    assert [label.get_text() for label in complete.get_yticklabels()] == ["Small", "Large"]
    dots = [line for line in complete.lines if line.get_linestyle() == "None"]
    assert [np.asarray(line.get_xdata()).tolist() for line in dots] == [[20, 100], [25]]
    dots = [line for line in well_formed.lines if line.get_linestyle() == "None"]
    assert [np.asarray(line.get_xdata()).tolist() for line in dots] == [[30, 100], [50]]
    rows = np.concatenate([line.get_ydata() for line in dots])
    assert np.round(rows).tolist() == [0, 1, 1]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["RankGPT", "Setwise, heapsort", "decoding-free, by construction"]


def test_controls_draw_means_over_benchmarks() -> None:
    figure = controls_figure(LAYERS, DRAWS, REFERENCES, backbones=["small"])
    (axes,) = figure.axes
    (curve,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert np.asarray(curve.get_xdata()).tolist() == [0, 1, 2]
    assert np.asarray(curve.get_ydata()) == pytest.approx([0.1, 0.2, 0.3])
    levels = sorted(line.get_ydata()[0] for line in axes.lines if line.get_marker() != "o")
    assert levels == pytest.approx([0.25, 0.5, 0.5])  # mean of the draws; ICR and HeadRank, not BM25
    band = axes.patches[0].get_extents().transformed(axes.transData.inverted())
    assert (band.y0, band.y1) == pytest.approx((0.15, 0.35))


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: overlap_figure(SELECTED.iloc[:0]), "selected heads: no rows"),
        (lambda: overlap_figure(SELECTED, methods=["core"]), "only core; an overlap needs two criteria"),
        (lambda: overlap_figure(pd.concat([SELECTED, SELECTED])), "selected heads: more than one row"),
        (lambda: overlap_figure(SELECTED, backbones=["huge"]), "no rows for huge; it has small, large"),
        (
            lambda: head_maps_figure(SCORES.assign(statistic=["a", "b"] * 48), SELECTED),
            r"several statistics of qrhead \(a, b\)",
        ),
        (lambda: head_maps_figure(SCORES, SELECTED.assign(layer=9)), "has no scored head 9-"),
        (
            lambda: head_maps_figure(SCORES.assign(value=NAN), SELECTED),
            r"qrhead \(small\) has no finite value",
        ),
        (lambda: head_maps_figure(SCORES, SELECTED, scaling="log"), "scaling 'log' is not known"),
        (
            lambda: head_maps_figure(
                pd.concat([SCORES.assign(backbone=name) for name in "abcde"]).drop_duplicates(
                    ["backbone", "method", "layer", "head"]
                ),
                SELECTED,
            ),
            "5 backbones, at most 4",
        ),
        (lambda: routes_figure(ROUTES.drop(columns="qid")), r"routes: missing column\(s\) qid"),
        (lambda: routes_figure(pd.concat([ROUTES, ROUTES])), "routes: more than one row"),
        (lambda: success_figure(COUNTS[COUNTS["method"] == "icr"]), "no method writes answers"),
        (lambda: success_figure(COUNTS.assign(complete=99)), "has calls .*, complete 99"),
        (
            lambda: success_figure(
                pd.concat([COUNTS.iloc[:1].assign(method=f"m{number}") for number in range(7)])
            ),
            "7 methods, at most 6",
        ),
        (
            lambda: controls_figure(LAYERS, DRAWS, REFERENCES.assign(method="bm25").drop_duplicates()),
            "no line for 'bm25'; draw icr, qrhead, core, headrank-untrained",
        ),
        (
            lambda: controls_figure(LAYERS.iloc[1:], DRAWS, REFERENCES),
            "layer 2 of small has 1 of 2 benchmarks",
        ),
        (
            lambda: controls_figure(LAYERS, DRAWS, REFERENCES[REFERENCES["backbone"] == "small"]),
            "control references: no rows for large",
        ),
    ],
)
def test_input_that_cannot_be_drawn_is_refused_by_name(draw: Draw, message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw()
