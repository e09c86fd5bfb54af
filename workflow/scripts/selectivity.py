"""Count the middle-zone documents that reach the top quartile (R12), relevant and irrelevant ones."""

from pathlib import Path

import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from headrank.data.atomic import write_parquet
from headrank.data.trec import read_qrels
from headrank.evaluation.middle_zone import ZoneSettings
from headrank.evaluation.selectivity import gap_test, promotion, zone_documents
from headrank.evaluation.significance import Resampling
from headrank.jobs.job import stage


def main(rankings, qrels, cells, zone, resampling, averages, output):
    grades = {Path(path).parent.name: read_qrels(path) for path in qrels}
    frames = {tuple(cell): pd.read_parquet(path) for cell, path in zip(cells, rankings, strict=True)}
    zones = {}
    for (backbone, benchmark, method), frame in frames.items():
        untrained = frames[backbone, benchmark, "headrank-untrained"]
        documents = zone_documents(frame, grades[benchmark], ZoneSettings(**zone), untrained)
        zones.setdefault((backbone, method), []).append(documents.assign(benchmark=benchmark))
    zones = {key: pd.concat(parts, ignore_index=True) for key, parts in zones.items()}
    alpha = resampling["alpha"]
    rows = []
    for (backbone, method), documents in zones.items():
        p = float("nan")
        if method == "headrank":
            before = zones[backbone, "headrank-untrained"]
            p = gap_test(before, documents, settings=Resampling(alternative="greater", **resampling)).p
        pooled, macro = promotion(documents), promotion(documents, "macro")
        # Of each average of the study, the gap over the documents of its benchmarks.
        gaps = [promotion(documents[documents["benchmark"].isin(names)]).gap for names in averages.values()]
        for group in ("relevant", "irrelevant"):
            share, n = getattr(pooled, group), getattr(pooled, f"n_{group}")
            low, high = (
                proportion_confint(round(share * n), n, alpha, method="wilson") if n else (share, share)
            )
            rows.append((backbone, method, group, share, low, high, n, getattr(macro, group), p, *gaps))
    columns = ["backbone", "method", "group", "promoted", "low", "high", "n", "macro", "p"]
    columns += [f"gap_{name}" for name in averages]
    write_parquet(output, pd.DataFrame(rows, columns=columns))


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input.rankings,
            snakemake.input.qrels,
            snakemake.params.cells,
            snakemake.params.zone,
            snakemake.params.resampling,
            snakemake.params.averages,
            snakemake.output.selectivity,
        )
