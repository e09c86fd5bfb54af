"""How alike the middle zone's scores are over all benchmarks of a study, before and after training."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from headrank.evaluation.homogenisation import homogenisation, profile
from headrank.evaluation.metric import Qrels
from headrank.evaluation.middle_zone import ZoneSettings
from headrank.evaluation.per_query import Cell


def pooled_homogenisation(
    rankings: Mapping[Cell, pd.DataFrame],
    qrels: Mapping[str, Qrels],
    zone: ZoneSettings,
    averages: Mapping[str, Sequence[str]],
    logarithmic: Collection[str] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The mean share of the score by position, and the measures of ``homogenisation``, of each backbone and method.

    The zone is always that by prompt position, whatever the settings say. logarithmic: backbones whose scores are
    logarithms; their exponentials, the shares, are used, because deviations cannot be measured relative to a mean of
    logarithms. First frame: the columns of ``profile``, backbone, method. Second: backbone, method, over ("" for all
    benchmarks, or the name of an average whose benchmarks were all ranked), queries (with a measure), and the mean of
    each measure over queries.
    """
    # Query ids of different benchmarks may be the same.
    grades = {f"{name}/{qid}": judged for name, whole in qrels.items() for qid, judged in whole.items()}
    pooled: dict[tuple[str, str], list[pd.DataFrame]] = {}
    ranked: dict[tuple[str, str], list[str]] = {}
    for (backbone, benchmark, method), ranking in rankings.items():
        frame = ranking.assign(qid=f"{benchmark}/" + ranking["qid"].astype(str))
        if backbone in logarithmic:
            frame["score"] = np.exp(frame["score"])
        pooled.setdefault((backbone, method), []).append(frame)
        ranked.setdefault((backbone, method), []).append(benchmark)
    zone = replace(zone, zone="position")
    profiles, measures = [], []
    for (backbone, method), frames in pooled.items():
        whole = pd.concat(frames, ignore_index=True)
        shares = profile(whole, grades, zone, "share")
        profiles.append(shares.assign(backbone=backbone, method=method))
        values = homogenisation(whole, grades, zone)
        benchmark_of = values["qid"].str.split("/", n=1).str[0]
        there = ranked[backbone, method]
        for over, names in {"": there, **averages}.items():
            if not {*names} <= {*there}:
                continue
            part = values[benchmark_of.isin(names)]
            row = {"backbone": backbone, "method": method, "over": over, "queries": part["qid"].nunique()}
            measures.append({**row, **part.groupby("metric")["value"].mean()})
    return pd.concat(profiles, ignore_index=True), pd.DataFrame(measures)
