"""Which artefacts hold measured times; wall time per rule, from the benchmark files of the workflow manager."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Any

from headrank.tables.timing import read_benchmarks

# Artefacts that hold measured times, which differ whenever their jobs are repeated.
_TIMES = (
    *("metrics/timing.parquet", "tables/timing.*"),
    *("metrics/seconds/*.parquet", "tables/frontier.*", "figures/frontier.*"),
    "adapters/*/*/steps.csv",
)


def is_time(name: str) -> bool:
    """Whether an artefact (its path within a results folder) holds measured times."""
    return any(fnmatchcase(name, pattern) for pattern in _TIMES)


def wall_time(directory: str | os.PathLike[str], skip: Collection[str] = ()) -> dict[str, Any]:
    """Seconds of each rule's jobs, summed and the longest, their peak memory, and the sum over all rules.

    rules: name -> jobs, seconds, longest_seconds and peak_rss_mb (None where every job was too short to sample).
    job_seconds: the sum over jobs; if several jobs ran in parallel, the study took less. skip: rules left out.
    """
    benchmarks = read_benchmarks(directory)
    benchmarks = benchmarks[~benchmarks["rule"].isin(list(skip))]
    rules = {}
    for rule, rows in benchmarks.groupby("rule"):
        peak = float(rows["max_rss"].max())
        rules[str(rule)] = {
            "jobs": len(rows),
            "seconds": round(float(rows["s"].sum()), 1),
            "longest_seconds": round(float(rows["s"].max()), 1),
            "peak_rss_mb": None if math.isnan(peak) else round(peak),
        }
    return {"rules": rules, "job_seconds": round(float(benchmarks["s"].sum()), 1)}
