"""Significance: which superscript a cell gets, from the tidy frame of paired tests."""

from __future__ import annotations

import pandas as pd

from headrank.errors import InputError
from headrank.tables.table import BETTER, WORSE
from headrank.tables.tidy import records, require

MEAN = "mean"
Tests = dict[tuple[str, ...], dict[str, float]]


def against(marks: pd.DataFrame, baseline: str) -> Tests:
    """The tests against ``baseline`` by (backbone, benchmark, method).

    marks: columns backbone, benchmark (``mean``: over all benchmarks), method, baseline, difference (method
    minus baseline), p_holm, significant (bool). Raises InputError for missing columns, repeated tests or an
    absent baseline.
    """
    what = "significance marks"
    require(marks, ["backbone", "benchmark", "method", "baseline"], what)
    chosen = marks[marks["baseline"] == baseline]
    if chosen.empty:
        tested = ", ".join(sorted(map(str, marks["baseline"].unique())))
        raise InputError(f"{what}: no test against {baseline}; tested against {tested}")
    values = ["difference", "p_holm", "significant"]
    return records(chosen, ["backbone", "benchmark", "method"], values, f"{what} against {baseline}")


def key_of_mean(backbone: str, benchmarks: list[str], method: str) -> tuple[str, str, str]:
    """Where to look up the test of a mean: with a single benchmark the mean is that benchmark's own."""
    return backbone, benchmarks[0] if len(benchmarks) == 1 else MEAN, method


def superscript(tests: Tests, key: tuple[str, str, str]) -> str:
    """Dagger: significantly better than the baseline; double dagger: worse; nothing: no such evidence."""
    test = tests.get(key)
    if test is None or test["significant"] != 1:
        return ""
    return BETTER if test["difference"] > 0 else WORSE


def legend(baseline_name: str, alpha: float) -> str:
    """The sentence of a caption that explains the superscripts."""
    return (
        f"{BETTER} ({WORSE}): significantly better (worse) than {baseline_name}, paired randomisation test "
        f"over queries with Holm's correction, p < {alpha:g}."
    )
