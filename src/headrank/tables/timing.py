"""Time and memory per rule, from the benchmark files of the workflow manager."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from headrank.data.frames import read_csv
from headrank.errors import InputError, PrerequisiteError
from headrank.tables.table import Cell, Column, Table, count_cell, number_cell, text_cell
from headrank.tables.tidy import in_order, require, require_finite

CAPTION = "Measured time and memory per rule, from Snakemake's benchmark files."
FRAMES = {"benchmarks": "timing"}

_NUMBERS = ["s", "max_rss", "cpu_time", "mean_load"]


def read_benchmarks(directory: str | os.PathLike[str]) -> pd.DataFrame:
    """All ``RULE/WILDCARDS.tsv`` (or ``RULE.tsv``) under ``directory``, sorted by path; a row per run.

    Columns: rule, job, s (wall seconds), max_rss (MB), cpu_time (seconds), mean_load (percent of one core).
    Fields that a job was too short to sample (``-`` or ``NA``) become NaN; wall time is always there.
    """
    root = Path(directory)
    paths = sorted(root.rglob("*.tsv"), key=lambda path: path.relative_to(root).as_posix())
    if not paths:
        raise PrerequisiteError(f"{root}: no benchmark files (RULE/WILDCARDS.tsv); run the workflow first")
    frames = []
    for path in paths:
        advice = "delete it and rerun its rule"
        frame = read_csv(path, "benchmark file", advice, sep="\t", na_values=["-", "NA"])
        require(frame, ["s", "max_rss"], str(path))
        place = path.relative_to(root).with_suffix("")
        frame = frame.reindex(columns=_NUMBERS)
        try:
            frame = frame.astype(float)
        except ValueError as error:
            raise InputError(f"{path}: {error}; delete it and rerun its rule") from None
        require_finite(frame, ["s"], str(path))
        frame.insert(0, "job", "/".join(place.parts[1:]))
        frame.insert(0, "rule", place.parts[0])
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def timing_table(benchmarks: pd.DataFrame, *, rules: Sequence[str] | None = None) -> Table:
    """One row per rule (order: ``rules``, else most seconds first) and a last one for all of those shown.

    benchmarks: as from ``read_benchmarks``.
    """
    what = "benchmarks"
    require(benchmarks, ["rule", "s", "max_rss"], what)
    require_finite(benchmarks, ["s"], what)
    totals = benchmarks.groupby("rule")["s"].sum()
    slowest_first = sorted(totals.index, key=lambda rule: (-float(totals[rule]), rule))
    shown = in_order(slowest_first, rules, what)
    body = [_row(rule, rule, benchmarks[benchmarks["rule"] == rule]) for rule in shown]
    total = _row("total", "All rules", benchmarks[benchmarks["rule"].isin(shown)])
    columns = (
        Column("rule", "Rule", numeric=False),
        Column("jobs", "Jobs"),
        Column("total_s", "Total (s)"),
        Column("max_s", "Longest (s)"),
        Column("peak_rss_mb", "Peak memory (MB)"),
    )
    caption = (
        "Wall time per rule, summed over jobs and of the longest job, and peak resident memory of a job."
    )
    return Table(columns, (tuple(body), (total,)), caption, "tab:timing")


def _row(key: str, name: str, rows: pd.DataFrame) -> tuple[Cell, ...]:
    return (
        text_cell(key, name),
        count_cell(len(rows)),
        number_cell(float(rows["s"].sum()), 1),
        number_cell(float(rows["s"].max()), 1),
        number_cell(float(rows["max_rss"].max()), 0),
    )
