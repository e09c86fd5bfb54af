"""How much a result depends on the training seed: HeadRank trained several times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from headrank.errors import InputError
from headrank.tables.means import averages_legend, benchmark_means, check_averages, over_benchmarks
from headrank.tables.names import TRAINED, UNTRAINED, average_name, backbone_name, method_name
from headrank.tables.table import Column, Table, count_cell, number_cell, text_cell
from headrank.tables.tidy import in_order

CAPTION = "Mean and standard deviation over training seeds."
FRAMES = {"metrics": "seeds"}
OPTIONS = {
    "seeds": "seeds",
    "metric": "metric",
    "backbones": "backbones",
    "benchmarks": "common",
    "averages": "common_averages",
}
NEEDS = ("seeds",)


def seeds_table(
    metrics: pd.DataFrame,
    *,
    seeds: Mapping[str, int],
    metric: str = "nDCG@10",
    backbones: Sequence[str] | None = None,
    benchmarks: Sequence[str] | None = None,
    averages: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """One row per backbone: the mean over benchmarks, untrained and for every seed; the seeds' mean and deviation.

    metrics: as for ``main_table``. seeds: method -> seed of its training; the deviation is that of a sample (n - 1).
    averages: further means, by name, each over the benchmarks that it lists, in a row of their own. Raises InputError
    when fewer than two seeds are given or one is missing for a backbone.
    """
    what = "seed metrics"
    if len(seeds) < 2:
        raise InputError(f"{what}: a deviation needs two seeds or more")
    means = benchmark_means(metrics, metric)
    chosen = in_order((key[0] for key in means if key[2] in seeds), backbones, what)
    shown = in_order((key[1] for key in means if key[2] in seeds), benchmarks, what)
    averages = averages or {}
    check_averages(means, averages)
    groups = []
    for backbone in chosen:
        rows = []
        for panel, members in {f"all {len(shown)}": shown, **averages}.items():
            values = []
            for method in seeds:
                value = over_benchmarks(means, backbone, method, list(members))
                if value is None:
                    raise InputError(f"{what}: {method} of {backbone} is not evaluated on every benchmark")
                values.append(value)
            rows.append(
                (
                    text_cell(backbone, backbone_name(backbone)),
                    text_cell(panel, average_name(panel)),
                    number_cell(over_benchmarks(means, backbone, UNTRAINED, list(members)), 3),
                    *(number_cell(value, 3) for value in values),
                    number_cell(float(np.mean(values)), 3),
                    number_cell(float(np.std(values, ddof=1)), 4),
                    count_cell(len(values)),
                )
            )
        groups.append(tuple(rows))
    columns = (
        Column("backbone", "Backbone", numeric=False),
        Column("panel", "Over", numeric=False),
        Column("untrained", "Untrained"),
        *(Column(f"seed_{seed}", f"Seed {seed}") for seed in seeds.values()),
        Column("mean", "Mean"),
        Column("deviation", "SD"),
        Column("seeds", "Seeds"),
    )
    caption = (
        f"{method_name(TRAINED)} trained with several seeds: {metric}, mean over benchmarks, beside "
        f"{method_name(UNTRAINED)}.{averages_legend(averages)} SD: standard deviation over seeds."
    )
    return Table(columns, tuple(groups), caption, "tab:seeds")
