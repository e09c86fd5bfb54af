"""The results of one adapter in its study, against the first stage, for its model card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrank.data.digests import file_digest
from headrank.data.frames import read_parquet
from headrank.engine.lora_files import WEIGHTS
from headrank.errors import InputError
from headrank.evaluation.per_query import FIRST_STAGE
from headrank.evaluation.significance import Resampling, compare
from headrank.provenance.manifest import NAME, read_manifest

METRICS = "metrics/main.parquet"


@dataclass(frozen=True)
class Result:
    """One metric on one benchmark, or on the mean over all (``significance.MEAN``).

    first: the first stage's value. low, high: the bootstrap interval of the difference. p: of a paired randomisation
    test, two-sided, with Holm's correction over a metric's benchmarks and their mean.
    """

    benchmark: str
    metric: str
    queries: int
    value: float
    first: float
    low: float
    high: float
    p: float


def place_in_study(adapter: Path, name: str | None, root: Path) -> tuple[str, str]:
    """(backbone, method) of the study's adapter with these weights; InputError if the study has none."""
    digest = file_digest(adapter / WEIGHTS)
    paths = [Path(path) for path, found in read_manifest(root / NAME).items() if found == digest]
    found = [path.parts[1:3] for path in paths if path.parts[0] == "adapters" and path.name == WEIGHTS]
    if not found:
        raise InputError(f"{root}: trained no adapter with the weights of {adapter}; name the study that did")
    # Variants that differ only in how they rank have the same weights.
    backbone, method = next((parts for parts in found if parts[1] == name), found[0])
    return backbone, method


def results_of(root: Path, provenance: Mapping[str, Any], backbone: str, method: str) -> list[Result]:
    """All metrics of a method on all benchmarks on which the study ranked with it."""
    values = read_parquet(root / METRICS)
    own = (values["backbone"] == backbone) & (values["method"] == method)
    benchmarks = values.loc[own, "benchmark"].unique()
    first = (values["method"] == FIRST_STAGE) & values["benchmark"].isin(benchmarks)
    asked = provenance["configuration"]["values"]["evaluation"]
    told = {"n_resamples": asked.get("resamples"), "alpha": asked.get("alpha")}
    settings = Resampling(**{key: value for key, value in told.items() if value is not None})
    found = []
    for metric, rows in values[own | first].groupby("metric", sort=False):
        if method not in set(rows["method"]):
            continue
        tests = compare(rows, [(method, FIRST_STAGE)], settings, family="table")
        found += [
            Result(
                str(row["benchmark"]),
                str(metric),
                int(row["n_queries"]),
                *(float(row[key]) for key in ("value", "baseline_value", "low", "high", "p_holm")),
            )
            for row in tests.to_dict("records")
        ]
    if not found:
        raise InputError(f"{root / METRICS}: has no results of {method} on {backbone}")
    return found
