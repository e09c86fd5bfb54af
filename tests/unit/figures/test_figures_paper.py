"""Figures: both files, equal bytes, what is drawn, and what is refused."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from headrank.errors import InputError
from headrank.figures.depth import depth_figure
from headrank.figures.heads import heads_figure
from headrank.figures.homogenisation import homogenisation_figure
from headrank.figures.main import main_figure
from headrank.figures.queries import queries_figure
from headrank.figures.selectivity import selectivity_figure
from headrank.figures.style import save_figure, spread
from headrank.figures.training import training_figure

NAN = float("nan")
BOTH = ("headrank-untrained", "headrank")

SCORES = pd.DataFrame(
    [
        (backbone, method, position - 1, group, 0.1 + 0.01 * position * (group == "relevant"), 0.08, 0.3, 5)
        for backbone in ("small", "large")
        for method in (*BOTH, "icr")
        for position in range(1, 9)
        for group in ("relevant", "irrelevant")
    ],
    columns=["backbone", "method", "position", "group", "mean", "low", "high", "n"],
)
PROMOTED = pd.DataFrame(
    [
        ("small", "headrank-untrained", "relevant", 0.3, 50, 0.2, 0.4),
        ("small", "headrank-untrained", "irrelevant", 0.2, 500, 0.19, 0.21),
        ("small", "headrank", "relevant", 0.6, 50, 0.5, 0.7),
        ("small", "headrank", "irrelevant", 0.1, 500, 0.09, 0.11),
        ("large", "headrank", "relevant", NAN, 0, NAN, NAN),
        ("large", "headrank", "irrelevant", 0.1, 500, NAN, NAN),
    ],
    columns=["backbone", "method", "group", "promoted", "n", "low", "high"],
)
HEADS = pd.DataFrame(
    [
        (backbone, layer, head, "selection", 0.1 * layer - 0.05 * head)
        for backbone, layers in (("small", 3), ("large", 5))
        for layer in range(layers)
        for head in range(4)
    ],
    columns=["backbone", "layer", "head", "statistic", "value"],
)
SELECTED = pd.DataFrame(
    [
        ("small", "headrank", 1, 0),
        ("small", "core", 1, 0),
        ("large", "headrank", 4, 3),
        ("large", "qrhead", 0, 0),
    ],
    columns=["backbone", "method", "layer", "head"],
)
DEPTH = pd.DataFrame(
    [
        (backbone, "x", layer, layer / 4, 0.2 + 0.1 * layer, 0.1, 0.7)
        for backbone in ("small", "large")
        for layer in range(1, 5)
    ],
    columns=["backbone", "benchmark", "depth", "share", "value", "low", "high"],
)
DEPTH_MARKS = pd.DataFrame(
    [("small", "", "deepest", 0.75, NAN), ("small", "x", "trained", 0.75, 0.65)],
    columns=["backbone", "benchmark", "kind", "share", "value"],
)
CURVES = pd.DataFrame(
    [
        ("small", "headrank", step, "train", 1 / step, 0.5 + step / 500, NAN, step == 50)
        for step in range(1, 101)
    ]
    + [("small", "headrank", step, "heldout", NAN, 0.6, 0.7, step == 50) for step in (50, 100)]
    + [
        ("large", "headrank", 1, "train", 1.0, 0.5, NAN, True),
        ("small", "k-4", 1, "train", 9.0, 0.5, NAN, True),
    ],
    columns=["backbone", "variant", "step", "split", "loss", "pair_accuracy", "ndcg", "kept"],
)
QUERIES = pd.DataFrame(
    [("small", 53, 0.6, 0.55, 0.65), ("small", 211, 0.7, NAN, NAN), ("large", 211, 0.8, 0.7, 0.9)],
    columns=["backbone", "queries", "value", "low", "high"],
)
# Method -> nDCG@10 of each of two queries; the first benchmark has the first query only.
RANKED = {
    ("", "bm25"): (0.5, 0.3, 0.5),
    ("", "random-order"): (0.2, 0.2, 0.2),
    ("small", "icr"): (0.4, 0.2, 0.4),
    ("small", "headrank"): (0.9, 0.3, 0.5),
    ("large", "headrank"): (0.8, 0.8, 0.8),
}
METRICS = pd.DataFrame(
    [
        (backbone, benchmark, method, qid, "nDCG@10", value)
        for (backbone, method), found in RANKED.items()
        for (benchmark, qid), value in zip((("dl19", "1"), ("dl20", "2"), ("dl20", "3")), found, strict=True)
    ]
    # On one of the benchmarks only.
    + [("large", "dl19", "rankgpt", "1", "nDCG@10", 1.0)],
    columns=["backbone", "benchmark", "method", "qid", "metric", "value"],
)
REFERENCES = pd.DataFrame(
    [("", "bm25", 0.5), ("small", "headrank-untrained", 0.55)], columns=["backbone", "method", "value"]
)

Draw = Callable[[], Figure]
FIGURES: dict[str, Draw] = {
    "homogenisation": lambda: homogenisation_figure(SCORES),
    "selectivity": lambda: selectivity_figure(PROMOTED),
    "heads": lambda: heads_figure(HEADS, SELECTED),
    "depth": lambda: depth_figure(DEPTH, DEPTH_MARKS),
    "training": lambda: training_figure(CURVES),
    "queries": lambda: queries_figure(QUERIES, REFERENCES),
    "main": lambda: main_figure(METRICS),
}


@pytest.mark.parametrize("name", FIGURES)
def test_both_files_are_written_with_equal_bytes_each_time(name: str, tmp_path: Path) -> None:
    contents = []
    for place in (tmp_path / "one", tmp_path / "two"):
        pdf, png = place / f"{name}.pdf", place / f"{name}.png"
        # The user's own settings must not leak in.
        with matplotlib.rc_context({"font.size": 8 if place.name == "one" else 21, "axes.facecolor": "red"}):
            save_figure(FIGURES[name](), pdf=pdf, png=png)
        contents.append((pdf.read_bytes(), png.read_bytes()))
        assert sorted(path.name for path in place.iterdir()) == [pdf.name, png.name]
    assert contents[0] == contents[1]
    pdf_bytes, png_bytes = contents[0]
    assert pdf_bytes.startswith(b"%PDF-")
    assert b"CreationDate" not in pdf_bytes
    assert b"/CIDFontType2" in pdf_bytes  # TrueType, embedded
    assert b"/Type3" not in pdf_bytes
    assert png_bytes.startswith(b"\x89PNG")


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


def test_one_backbone_takes_one_column() -> None:
    one = {
        "homogenisation": homogenisation_figure(SCORES[SCORES["backbone"] == "small"]),
        "heads": heads_figure(HEADS, SELECTED, backbones=["small"]),
        "training": training_figure(CURVES, backbones=["large"]),
        "queries": queries_figure(QUERIES, backbones=["large"]),
        "depth": depth_figure(DEPTH, backbones=["small"]),
        "selectivity": selectivity_figure(PROMOTED, backbones=["small"]),
    }
    for name, figure in one.items():
        figure.draw_without_rendering()
        assert figure.get_figwidth() == 3.3, name
        assert figure.get_tightbbox().x0 >= -0.02, name
        assert figure.get_tightbbox().x1 <= 3.32, name


def test_homogenisation_draws_before_and_after_of_both_groups() -> None:
    figure = homogenisation_figure(SCORES)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Small", "Large"]
    curves = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 8]
    assert len(curves) == 4
    relevant = np.asarray(curves[1].get_ydata())
    assert relevant == pytest.approx([0.1 + 0.01 * position for position in range(1, 9)])
    zone = figure.axes[0].patches[0].get_extents().transformed(figure.axes[0].transData.inverted())
    assert (zone.x0, zone.x1) == pytest.approx((2.5, 6.5))  # positions 3 to 6 of 8
    only = homogenisation_figure(SCORES[SCORES["group"] == "relevant"], log=True)
    assert len([line for line in only.axes[0].lines if len(line.get_xdata()) == 8]) == 2


def test_homogenisation_keeps_every_panel_in_view() -> None:
    tall = SCORES.assign(mean=SCORES["mean"] * np.where(SCORES["backbone"] == "large", 9, 1))
    figure = homogenisation_figure(tall)
    assert figure.axes[1].get_ylim()[1] >= tall["mean"].max()
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()


def test_homogenisation_takes_a_logarithmic_axis_where_first_positions_dwarf_the_middle() -> None:
    shares = SCORES.assign(mean=SCORES["mean"] / SCORES["mean"].mean())
    assert homogenisation_figure(shares).axes[0].get_yscale() == "linear"
    first = shares["position"] == 0
    dwarfed = shares.assign(mean=shares["mean"].where(~first, 20.0))
    axes = homogenisation_figure(dwarfed).axes[0]
    assert axes.get_yscale() == "log"
    bottom, top = axes.get_ylim()
    assert 0 < bottom < dwarfed["mean"].min()
    assert top > 20


def test_selectivity_bars_are_percent_and_the_gap_is_printed() -> None:
    figure = selectivity_figure(PROMOTED)
    axes = figure.axes[0]
    assert sorted(round(bar.get_height(), 6) for bar in axes.patches) == [10, 10, 20, 30, 60]
    # The large one has no limits, and so no interval.
    assert len(axes.containers) == 5 + 4
    assert [label.get_text() for label in axes.get_xticklabels()] == ["Small\n+10 → +50", "Large"]


def test_heads_share_one_colour_scale() -> None:
    figure = heads_figure(HEADS, SELECTED)
    limits = {axes.images[0].get_clim() for axes in figure.axes if axes.images}
    assert limits == {(HEADS["value"].min(), HEADS["value"].max())}
    # A line above the deepest HeadRank head, where layers remain above it: layer 1 of 0 to 2; none for 4 of 0 to 4.
    small, large = (axes for axes in figure.axes if axes.images)
    assert [line.get_ydata()[0] for line in small.lines if line.get_marker() == "None"] == [1.5]
    assert not [line for line in large.lines if line.get_marker() == "None"]


def test_depth_ring_lies_on_the_curve() -> None:
    rings = [line for line in depth_figure(DEPTH, DEPTH_MARKS).axes[0].lines if line.get_markersize() == 8]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in rings] == [(75, pytest.approx(0.5))]


def test_depth_curves_are_means_over_the_benchmarks_that_all_backbones_have() -> None:
    # Only the small one was read on y, where all is higher.
    more = DEPTH[DEPTH["backbone"] == "small"].assign(benchmark="y")
    more[["value", "low", "high"]] += [0.2, 0.3, 0.2]
    curves = pd.concat([DEPTH, more])
    star = DEPTH_MARKS[DEPTH_MARKS["kind"] == "trained"]
    marks = pd.concat([DEPTH_MARKS, star.assign(benchmark="y", value=0.95)])

    def drawn(figure: Figure) -> list[list[float]]:
        return [list(line.get_ydata()) for line in figure.axes[0].lines if len(line.get_xdata()) == 4]

    both = depth_figure(curves, marks, benchmarks=["x"])
    assert drawn(both) == [pytest.approx([0.3, 0.4, 0.5, 0.6])] * 2
    assert both.axes[0].get_ylabel() == "nDCG@10, X"
    alone = depth_figure(curves[curves["backbone"] == "small"], marks)
    assert drawn(alone) == [pytest.approx([0.4, 0.5, 0.6, 0.7])]
    assert alone.axes[0].get_ylabel() == "nDCG@10, mean of 2 benchmarks"
    (star_line,) = [line for line in alone.axes[0].lines if line.get_marker() == "*"]
    assert star_line.get_ydata()[0] == pytest.approx((0.65 + 0.95) / 2)
    # Distances of 0.2 and 0.1 below the first values of x and y.
    band = alone.axes[0].collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(0.4 - np.hypot(0.2, 0.1) / 2)
    with pytest.raises(InputError, match="of large has 1 of 2 benchmarks"):
        depth_figure(curves)


def test_depth_marks_of_the_last_layer_are_drawn_whole() -> None:
    axes = depth_figure(DEPTH, DEPTH_MARKS.assign(share=1.0)).axes[0]
    marked = [
        line for line in axes.lines if line.get_marker() in ("*", "o") and list(line.get_xdata()) == [100]
    ]
    assert len(marked) == 2
    assert not any(line.get_clip_on() for line in marked)


LONG = ["qwen2.5-coder-0.5b", "qwen2.5-coder-7b-instruct", "qwen2.5-coder-1.5b", "smollm2-135m-instruct"]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_selectivity_names_do_not_touch(count: int) -> None:
    one = PROMOTED[PROMOTED["backbone"] == "small"]
    figure = selectivity_figure(pd.concat([one.assign(backbone=name) for name in LONG[:count]]))
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    assert len(boxes) == count
    for left, right in itertools.pairwise(boxes):
        assert left.x1 + 4 < right.x0
    assert boxes[0].x0 >= 0
    assert boxes[-1].x1 <= figure.bbox.x1


def test_homogenisation_groups_positions_behind_the_fifth() -> None:
    rng = np.random.default_rng(5)
    counts = rng.integers(2, 9, 12)
    documents = [rng.exponential(size=n) for n in counts]
    rows = [
        ("small", "headrank", place, "relevant", d.mean(), 1.96 * d.std(ddof=1) / len(d) ** 0.5, len(d))
        for place, d in enumerate(documents)
    ]
    frame = pd.DataFrame(rows, columns=["backbone", "method", "position", "group", "mean", "margin", "n"])
    frame = frame.assign(low=frame["mean"] - frame["margin"], high=frame["mean"] + frame["margin"])
    axes = homogenisation_figure(frame, log=False).axes[0]
    (line,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert list(line.get_xdata()) == [1, 2, 3, 4, 5, 8, 11.5]
    groups = [*documents[:5], np.concatenate(documents[5:10]), np.concatenate(documents[10:])]
    assert list(line.get_ydata()) == pytest.approx([group.mean() for group in groups])
    band = axes.collections[-1].get_paths()[0].vertices
    tops = [group.mean() + 1.96 * group.std(ddof=1) / len(group) ** 0.5 for group in groups]
    assert max(band[:, 1]) == pytest.approx(max(tops))
    assert tops[5] == pytest.approx(max(band[band[:, 0] == 8, 1]))


def test_homogenisation_s_logarithmic_axis_ends_below_the_curves() -> None:
    shares = SCORES.assign(mean=SCORES["mean"] / SCORES["mean"].mean())
    first, last = shares["position"] == 0, shares["position"] == 7
    shares["mean"] = shares["mean"].where(~first, 20.0)
    axes = homogenisation_figure(shares.assign(low=-1.0)).axes[0]
    assert axes.get_ylim()[0] == pytest.approx(shares["mean"].min() / 1.5)
    bands = [path.vertices[:, 1].min() for band in axes.collections for path in band.get_paths()]
    assert min(bands) == axes.get_ylim()[0]
    # A mean of nearly nothing does not stretch the axis over many decades.
    tiny = shares.assign(mean=shares["mean"].where(~last, 1e-7))
    assert homogenisation_figure(tiny).axes[0].get_ylim()[0] == 0.005


def test_training_shows_one_variant_in_percent() -> None:
    figure = training_figure(CURVES)
    loss, accuracy = figure.axes[0], figure.axes[2]
    assert max(np.max(line.get_ydata(), initial=0) for line in loss.lines) == 1.0
    assert accuracy.get_ylabel().split() == ["hard", "pairs", "in", "order", "(%)"]
    assert max(np.max(line.get_ydata()) for line in accuracy.lines) == pytest.approx(70)
    with pytest.raises(InputError, match="no rows for k-8; it has headrank, k-4"):
        training_figure(CURVES, variant="k-8")


def test_training_marks_the_step_that_was_kept() -> None:
    gain = training_figure(CURVES, backbones=["small"]).axes[2]
    assert gain.get_ylabel() == "nDCG@10"
    (kept,) = [line for line in gain.lines if list(line.get_xdata()) == [50, 50]]
    assert kept.get_color() == "#6E6E6E"
    curve = [line for line in gain.lines if line.get_marker() == "s"]
    assert [list(line.get_ydata()) for line in curve] == [[0.7, 0.7]]
    unmarked = training_figure(CURVES.assign(kept=False), backbones=["small"])
    assert "kept" not in [text.get_text() for text in unmarked.legends[0].get_texts()]


def test_queries_axis_is_binary_with_the_sizes_as_ticks() -> None:
    axes = queries_figure(QUERIES, REFERENCES, backbones=["small"]).axes[0]
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["53", "211"]
    levels = [
        line.get_ydata()[0]
        for line in axes.lines
        if len(set(line.get_xdata())) == 2 and line.get_xdata()[0] == 0
    ]
    assert levels == [0.55, 0.5]
    for title in ("BM25", "SPLADE"):
        figure = queries_figure(QUERIES, REFERENCES, first_stage=None if title == "BM25" else title)
        assert title in [text.get_text() for text in figure.legends[0].get_texts()]


def test_main_results_are_means_over_benchmarks_with_intervals_over_queries() -> None:
    figure = main_figure(METRICS, backbones=["small", "large"], first_stage="SPLADE")
    small, _ = figure.axes
    # A method that lacks a benchmark has no mean, and no row.
    assert [label.get_text() for label in small.get_yticklabels()] == ["ICR", "HeadRank"]
    places = [(line.get_xdata()[0], line.get_ydata()[0]) for line in small.lines if line.get_marker() in "oD"]
    # DL 2019 has .9 and DL 2020 .4 on the mean, whatever the numbers of queries.
    assert places == [(pytest.approx(0.35), 0), (pytest.approx(0.65), 1)]
    lines = [line.get_xdata()[0] for line in small.lines if line.get_marker() == "None"]
    assert lines == pytest.approx([0.45, 0.2])
    # The mean of DL 2020's two draws is .3, .4 or .5; DL 2019 has one query, which is always drawn.
    [reach] = small.containers[1].lines[2]
    assert [round(float(x), 6) for x, _ in reach.get_segments()[0]] == [0.6, 0.7]
    assert [text.get_text() for text in figure.legends[0].get_texts()][-2:] == ["SPLADE", "random order"]
    assert figure.get_supxlabel() == "nDCG@10, mean over DL 2019, DL 2020"
    one = main_figure(METRICS, benchmarks=["dl19"])
    assert "RankGPT" in [label.get_text() for label in one.axes[0].get_yticklabels()]
    assert one.get_supxlabel() == "nDCG@10, DL 2019"
    with pytest.raises(InputError, match="no method has all of dl19, dl20"):
        main_figure(METRICS[METRICS["method"].isin(["bm25", "rankgpt"])])


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: homogenisation_figure(SCORES.iloc[:0]), "homogenisation scores: no rows"),
        (
            lambda: homogenisation_figure(SCORES, before="x", after="y"),
            "no relevant or irrelevant documents of x or y",
        ),
        (lambda: homogenisation_figure(SCORES.assign(mean=NAN)), "mean are not finite"),
        (lambda: selectivity_figure(PROMOTED.drop(columns="low")), r"missing column\(s\) low"),
        (lambda: selectivity_figure(PROMOTED.assign(promoted=NAN)), "no relevant or irrelevant documents"),
        (lambda: heads_figure(HEADS, SELECTED.iloc[:0]), "selected heads: no rows"),
        (lambda: heads_figure(HEADS.assign(value=NAN), SELECTED), "selection has no finite value"),
        (lambda: heads_figure(HEADS, SELECTED.assign(layer=7)), "small has no scored head 7-0"),
        (lambda: heads_figure(HEADS, SELECTED.assign(method="zz")), "no marker for 'zz'"),
        (
            lambda: heads_figure(HEADS.assign(statistic=["a", "b"] * 16), SELECTED),
            "no rows for selection; it has a, b",
        ),
        (lambda: depth_figure(DEPTH.iloc[:0]), "depth curves: no rows"),
        (lambda: depth_figure(DEPTH.assign(share=50)), "must be a share"),
        (lambda: depth_figure(DEPTH.assign(share=0.5)), "more than one row"),
        (lambda: depth_figure(DEPTH, DEPTH_MARKS.assign(kind="deep")), "more than one row|unknown kind"),
        (lambda: training_figure(CURVES.assign(split="dev")), "neither split train nor split heldout"),
        (lambda: queries_figure(QUERIES.assign(queries=[0, 1, 2])), "fewer than one query"),
        (lambda: queries_figure(QUERIES, backbones=["huge"]), "no rows for huge"),
    ],
)
def test_input_that_cannot_be_drawn_is_refused_by_name(draw: Draw, message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw()


def test_labels_are_spread_just_enough() -> None:
    assert spread([0.5, 0.1, 0.9], 0.1) == pytest.approx([0.5, 0.1, 0.9])
    assert spread([0.5, 0.5], 0.2) == pytest.approx([0.4, 0.6])
    moved = spread([0.50, 0.52, 0.51, 0.0], 0.1)
    assert moved[3] == 0.0
    assert sorted(moved[:3]) == pytest.approx([0.41, 0.51, 0.61])
    assert moved[0] < moved[2] < moved[1]


def test_tables_and_figures_need_no_torch_and_tables_no_matplotlib() -> None:
    code = (
        "import sys, headrank.tables; assert 'matplotlib' not in sys.modules;"
        "import headrank.figures; assert 'torch' not in sys.modules; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
