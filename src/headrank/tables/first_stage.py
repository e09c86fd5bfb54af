"""The first stage, compared with published figures."""

from __future__ import annotations

import math

import pandas as pd

from headrank.tables.table import Cell, Column, Table, count_cell, number_cell, text_cell
from headrank.tables.tidy import require, require_finite

CAPTION = "The first stage's nDCG@10 and recall@100, compared with published figures."
FRAMES = {"measured": "first-stage"}

_KEYS = {"nDCG@10": "ndcg", "recall@100": "recall"}
_STAGES = {"bm25": "BM25", "dense": "dense", "official": "official", "run": "given run"}


def first_stage_table(measured: pd.DataFrame) -> Table:
    """One row per collection: where its candidates come from, queries, depth, and for each of the two metrics the mean
    over the judged queries, the published figure and the difference.

    measured: as from ``headrank.retrieval.published_check.measure_first_stage``; collections keep their order.
    """
    what = "first stage"
    require(measured, ["collection", "stage", "queries", "depth", "metric", "value", "published"], what)
    require_finite(measured, ["value"], what)
    columns = [
        Column("collection", "Collection", numeric=False),
        Column("stage", "First stage", numeric=False),
        Column("queries", "Queries"),
        Column("depth", "Depth"),
    ]
    for title, key in _KEYS.items():
        columns += [
            Column(key, title),
            Column(f"{key}_published", "published"),
            Column(f"{key}_difference", "difference"),
        ]
    rows = []
    for name, part in measured.groupby("collection", sort=False):
        first = part.iloc[0]
        row = [
            text_cell(str(name)),
            text_cell(first["stage"], _STAGES.get(first["stage"], first["stage"])),
            count_cell(int(first["queries"])),
            count_cell(int(first["depth"])),
        ]
        for title in _KEYS:
            found = part[part["metric"] == title].iloc[0]
            row += _compared(float(found["value"]), float(found["published"]))
        rows.append(tuple(row))
    caption = (
        "First stage beside published figures (Pyserini's reproductions), means over all judged queries; "
        "depth is that of the longest list."
    )
    return Table(tuple(columns), (tuple(rows),), caption, "tab:first-stage")


def _compared(value: float, published: float) -> list[Cell]:
    known = not math.isnan(published)
    return [
        number_cell(value, 4),
        number_cell(published if known else None, 4),
        number_cell(value - published if known else None, 4, signed=True),
    ]
