"""Ablations: what each part of HeadRank is worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pandas as pd

from headrank.errors import InputError
from headrank.methods.table import METHODS
from headrank.tables.marks import against, key_of_mean, legend, superscript
from headrank.tables.means import averages_legend, benchmark_means, check_averages, over_benchmarks
from headrank.tables.names import (
    TRAINED,
    UNTRAINED,
    average_name,
    backbone_name,
    by_variant,
    variant_name,
)
from headrank.tables.selectivity import promotion_gaps
from headrank.tables.table import Cell, Column, Table, bold_best, number_cell, p_cell, text_cell
from headrank.tables.tidy import in_order

CAPTION = "Ablations: what changes when one part of the method is changed or left out."
FRAMES = {"metrics": "ablation", "marks": "significance-ablation", "selectivity": "selectivity-ablation"}
OPTIONS = {"metric": "metric", "benchmarks": "ablated_panel", "averages": "averages", "alpha": "alpha"}
NEEDS = ("ablation",)

_BASELINES = set(METHODS) - {TRAINED, UNTRAINED}


def ablation_table(
    metrics: pd.DataFrame,
    marks: pd.DataFrame | None = None,
    selectivity: pd.DataFrame | None = None,
    *,
    full: str = TRAINED,
    metric: str = "nDCG@10",
    backbones: Sequence[str] | None = None,
    benchmarks: Sequence[str] | None = None,
    variants: Sequence[str] | None = None,
    averages: Mapping[str, Sequence[str]] | None = None,
    alpha: float = 0.05,
) -> Table:
    """One row per variant: mean over benchmarks, difference to ``full``, Holm's p, selectivity gap.

    metrics: as for ``main_table``, including the rows of ``full`` (other methods are left out). marks: tests with
    ``full`` as baseline; those of the benchmark ``mean`` are shown. selectivity: see
    ``selectivity_table``. backbones: default, those with a variant besides the full and the untrained method.
    averages: further means, by name, each over the benchmarks that it lists.
    """
    what = "ablation metrics"
    means = benchmark_means(metrics, metric)
    averages = averages or {}
    check_averages(means, averages)
    keys = [key for key in means if key[0] and key[2] not in _BASELINES]
    ablated = [key[0] for key in keys if backbones is not None or key[2] not in (full, UNTRAINED)]
    if not ablated:
        raise InputError(f"{what}: no variants besides {full}; evaluate at least one ablation")
    chosen = in_order(ablated, backbones, what)
    keys = [key for key in keys if key[0] in chosen]
    shown_benchmarks = in_order((key[1] for key in keys), benchmarks, what)
    shown_variants = in_order(by_variant([full, *(key[2] for key in keys)]), variants, what)
    tests = {} if marks is None else against(marks, full)
    gaps = {} if selectivity is None else promotion_gaps(selectivity)

    several = len(chosen) > 1
    groups = []
    for backbone in chosen:
        reference = over_benchmarks(means, backbone, full, shown_benchmarks)
        if reference is None:
            raise InputError(f"{what}: {full} of {backbone} is not evaluated on every benchmark")
        present = {key[2] for key in keys if key[0] == backbone}
        rows: list[list[Cell]] = []
        for variant in (variant for variant in shown_variants if variant in present):
            mean = over_benchmarks(means, backbone, variant, shown_benchmarks)
            away = None if mean is None or variant == full else mean - reference
            key = key_of_mean(backbone, shown_benchmarks, variant)
            difference = number_cell(away, 3, signed=True)
            row = [text_cell(backbone, backbone_name(backbone))] if several else []
            row += [text_cell(variant, variant_name(variant)), number_cell(mean, 3)]
            row += [number_cell(over_benchmarks(means, backbone, variant, m), 3) for m in averages.values()]
            row.append(dataclasses.replace(difference, mark=superscript(tests, key)))
            row.append(p_cell(tests[key]["p_holm"] if key in tests else None))
            row.append(number_cell(gaps.get((backbone, variant)), 1, signed=True, scale=100))
            rows.append(row)
        for column in [*range(1 + several, 2 + several + len(averages)), 4 + several + len(averages)]:
            rows = bold_best(rows, column)
        groups.append(tuple(map(tuple, rows)))

    columns = [Column("backbone", "Backbone", numeric=False)] if several else []
    columns += [
        Column("variant", "Variant", numeric=False),
        Column("mean", metric),
        *(Column(name, average_name(name)) for name in averages),
        Column("difference", "Difference", marked=marks is not None),
        Column("p_holm", "p (Holm)"),
        Column("gap", "Gap"),
    ]
    place = "" if several else f" ({backbone_name(chosen[0])})"
    plural = "s" if len(shown_benchmarks) > 1 else ""
    caption = (
        f"Ablations{place}: {metric}, mean over {len(shown_benchmarks)} benchmark{plural}, and difference "
        f"to {variant_name(full)}.{averages_legend(averages)} Gap: share of relevant minus share of "
        f"irrelevant middle-zone documents that reach the top quartile, in points. Bold: best."
    )
    if marks is not None:
        caption += f" {legend(variant_name(full), alpha)}"
    return Table(tuple(columns), tuple(groups), caption, "tab:ablation")
