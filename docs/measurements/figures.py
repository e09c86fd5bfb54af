"""Draw figures of the documents from what studies of real models measured, as the studies draw them.

python docs/measurements/figures.py

Of config/pretrained.yaml: depth, selectivity and training, from the tables in pretrained/, and head_maps from
heads.csv (each criterion's score of each head, to four digits). frontier has RankGPT besides, which ranked part of the
queries: its seconds are those of the first query of DL 2019 (writing_seconds.csv, with a method that the table also
has), its effectiveness that of writing.csv.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from headrank.data.frames import read_csv
from headrank.figures.depth import DEEPEST, TRAINED_POINT, depth_figure
from headrank.figures.frontier import MARKERS, frontier_figure
from headrank.figures.head_maps import head_maps_figure
from headrank.figures.selectivity import selectivity_figure
from headrank.figures.style import SERIES, save_figure
from headrank.figures.training import training_figure
from headrank.tables.marks import MEAN

HERE = Path(__file__).parent
MODELS = ["smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"]
METHODS = ["headrank", "qrhead", "core"]


def table(name: str) -> pd.DataFrame:
    return read_csv(HERE / name, "table", "restore it")


def depth() -> Figure:
    """How good heads of the first layers are on DL 2019 and 2020 (measured of two models); a star for trained heads."""
    claims, main = table("pretrained/claims.csv"), table("pretrained/main.csv")
    curves = table("pretrained/depth.csv").assign(benchmark=MEAN)
    models = [model for model in MODELS if model in set(curves["backbone"])]
    share = claims[claims["claim"] == "depth"].set_index("backbone")["measured"]
    trained = main[main["method"] == "headrank"].set_index("backbone")["dl"]
    rows = [
        {"backbone": model, "benchmark": MEAN, "kind": kind, "share": share[model], "value": value}
        for model in models
        for kind, value in ((DEEPEST, float("nan")), (TRAINED_POINT, trained[model]))
    ]
    return depth_figure(curves, pd.DataFrame(rows), backbones=models)


def selectivity() -> Figure:
    """The table has no intervals of the four shares, so the bars have none."""
    found = table("pretrained/selectivity.csv")
    groups = [
        found[["backbone", "method"]].assign(
            group=group, promoted=found[group], n=found[f"{group}_n"], low=float("nan"), high=float("nan")
        )
        for group in ("relevant", "irrelevant")
    ]
    return selectivity_figure(pd.concat(groups, ignore_index=True), backbones=MODELS)


def training() -> Figure:
    curves = [
        table(f"pretrained/training_{model}.csv").assign(backbone=model, variant="headrank")
        for model in MODELS
    ]
    return training_figure(pd.concat(curves, ignore_index=True), backbones=MODELS)


def head_maps() -> Figure:
    scores, selected = (table(f"pretrained/{name}.csv") for name in ("heads", "heads_selected"))
    return head_maps_figure(scores, selected, backbones=MODELS, methods=METHODS)


def frontier() -> Figure:
    """RankGPT's points are hollow: its mean is over 40 of the 97 queries, on which BM25 has .485 in place of .493."""
    points = table("pretrained/frontier.csv").assign(qid="264014", passages=40, metric="nDCG@10")
    means = points.assign(backbone=points["backbone"].fillna(""), benchmark=MEAN)
    figure = frontier_figure(means, points.dropna(subset=["seconds"]), backbones=MODELS)
    (axes,) = figure.axes
    written, seconds = table("pretrained/writing.csv"), table("pretrained/writing_seconds.csv")
    for name, look in zip(MODELS, SERIES, strict=False):
        found = written[(written["backbone"] == name) & (written["method"] == "rankgpt")]
        value = found["ndcg@10"].mean()
        timed = seconds.set_index(["backbone", "method"]).loc[(name, "rankgpt"), "seconds"]
        axes.scatter(
            timed, value, marker=MARKERS["generative"], s=22, facecolor="white", edgecolor=look.color
        )
        axes.annotate(
            "RankGPT", (timed, value), xytext=(0, -9), textcoords="offset points", ha="center", fontsize=6.5
        )
    return figure


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for draw in (depth, selectivity, training, head_maps, frontier):
            png = HERE.parent / "figures" / f"{draw.__name__}.png"
            save_figure(draw(), pdf=Path(folder, "figure.pdf"), png=png)


if __name__ == "__main__":
    main()
