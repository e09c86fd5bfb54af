"""How alike the middle zone's scores are, before and after training: by prompt position, and in three measures."""

from pathlib import Path

import numpy as np
import pandas as pd

from headrank.data.atomic import write_parquet
from headrank.data.trec import read_qrels
from headrank.evaluation.homogenisation import homogenisation, profile
from headrank.evaluation.middle_zone import ZoneSettings
from headrank.jobs.job import stage


def main(rankings, qrels, cells, zone, averages, logarithmic, outputs):
    grades = {
        # Query ids of different benchmarks may be the same.
        f"{Path(path).parent.name}/{qid}": judged
        for path in qrels
        for qid, judged in read_qrels(path).items()
    }
    pooled = {}
    for (backbone, benchmark, method), path in zip(cells, rankings, strict=True):
        if method in ("headrank-untrained", "headrank"):
            frame = pd.read_parquet(path)
            frame["qid"] = f"{benchmark}/" + frame["qid"].astype(str)
            if backbone in logarithmic:
                # Shares, as they are elsewhere: logarithms have no mean that deviations could be measured by.
                frame["score"] = np.exp(frame["score"])
            pooled.setdefault((backbone, method), []).append(frame)
    by_position = ZoneSettings(**{**zone, "zone": "position"})
    parts, measures = [], []
    for (backbone, method), frames in pooled.items():
        ranking = pd.concat(frames, ignore_index=True)
        mean = profile(ranking, grades, by_position, "share")
        parts.append(mean.assign(backbone=backbone, method=method))
        values = homogenisation(ranking, grades, by_position)
        benchmark = values["qid"].str.split("/", n=1).str[0]
        for over, names in {"": benchmark.unique(), **averages}.items():
            part = values[benchmark.isin(names)]
            means = part.groupby("metric")["value"].mean()
            row = {"backbone": backbone, "method": method, "over": over, "queries": part["qid"].nunique()}
            measures.append({**row, **means})
    write_parquet(outputs.profile, pd.concat(parts, ignore_index=True))
    write_parquet(outputs.measures, pd.DataFrame(measures))


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input.rankings,
            snakemake.input.qrels,
            snakemake.params.cells,
            snakemake.params.zone,
            snakemake.params.averages,
            snakemake.params.logarithmic,
            snakemake.output,
        )
