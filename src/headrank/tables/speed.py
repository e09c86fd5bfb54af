"""Time and memory of every way to score a list, as ratios to HeadRank's truncated pass in the same run."""

from __future__ import annotations

import math

import pandas as pd

from headrank.cost.measured import COLUMNS, PRODUCT, TITLES
from headrank.cost.ratios import reference_depth, summarise
from headrank.tables.names import backbone_name
from headrank.tables.table import MISSING, Cell, Column, Table, count_cell, number_cell, text_cell
from headrank.tables.tidy import require, require_finite

CAPTION = "Time and memory of every way to score a list, as ratios within one run."
FRAMES = {"rounds": "speed/{shape}"}
NEEDS = ("bench",)


def speed_table(rounds: pd.DataFrame) -> Table:
    """One row per backbone, list length and contender.

    rounds: columns ``headrank.cost.measured.COLUMNS``, as ``headrank bench`` writes them. The first number is the
    ratio of a contender's time to HeadRank's at the depth nearest to 55 % of the layers, median over the rounds.
    """
    what = "benchmark"
    require(rounds, COLUMNS, what)
    require_finite(rounds, ["seconds", "operations"], what)
    depth = reference_depth(rounds)
    summary = summarise(rounds)
    groups = []
    for _, part in summary[summary["method"] != PRODUCT].groupby(
        ["backbone", "dtype", "device", "n"], sort=False
    ):
        groups.append(tuple(tuple(_row(row)) for _, row in part.iterrows()))
    columns = (
        Column("backbone", "Backbone", numeric=False),
        Column("n", "Passages"),
        Column("method", "Scored by", numeric=False),
        Column("layers", "Layers"),
        Column("times", "Times HeadRank"),
        Column("seconds", "Seconds"),
        Column("spread", "(least to most)", numeric=False),
        Column("memory_gb", "Memory (GB)"),
        Column("passes", "Passes"),
        Column("tokens", "Tokens"),
        Column("tflop", "TFLOP"),
        Column("share", "Of matrix rate (%)"),
    )
    caption = (
        f"Time per query of passages of {_all(rounds, 'passage_tokens')} tokens, {_all(rounds, 'dtype')} weights, on"
        f" {_all(rounds, 'device')} with {_all(rounds, 'threads')} threads: as a multiple of HeadRank's at"
        f" {depth:.0%} of the layers, median over {int(rounds['round'].max())} rounds in which all take turns; in"
        " seconds; peak memory beyond the model's own; and the rate that its matrix products reach, as a share of the"
        " rate of one product of large matrices in the same rounds."
    )
    return Table(columns, tuple(groups), caption, "tab:speed")


def _row(row: pd.Series) -> list[Cell]:
    spread = f"{row['fastest']:.2f} – {row['slowest']:.2f}"
    memory = None if math.isnan(row["memory"]) else max(row["memory"], 0) / 1e9
    return [
        text_cell(row["backbone"], backbone_name(row["backbone"])),
        count_cell(int(row["n"])),
        text_cell(row["method"], TITLES.get(row["method"], row["method"])),
        count_cell(int(row["layers"])),
        number_cell(row["times"], 2),
        number_cell(row["seconds"], 2),
        text_cell(spread) if row["rounds"] > 1 else Cell(None, MISSING),
        number_cell(memory, 2),
        count_cell(int(row["passes"])),
        count_cell(int(row["tokens"])),
        number_cell(row["operations"] / 1e12, 2),
        number_cell(row["share"], 0, scale=100),
    ]


def _all(rounds: pd.DataFrame, column: str) -> str:
    return ", ".join(map(str, rounds[column].unique()))
