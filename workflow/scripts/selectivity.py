"""Count the middle-zone documents that reach the top quartile (R12), relevant and irrelevant ones."""

from pathlib import Path

import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from headrank.files import write_parquet
from headrank.runs import read_qrels
from headrank.selectivity import promotion, zone_documents
from headrank.stage import stage
from headrank.zone import ZoneSettings


def main(rankings, qrels, cells, zone, alpha, output):
    grades = {Path(path).parent.name: read_qrels(path) for path in qrels}
    frames = {tuple(cell): pd.read_parquet(path) for cell, path in zip(cells, rankings, strict=True)}
    rows = []
    for backbone, method in dict.fromkeys((b, m) for b, _, m in frames):
        zones = [
            zone_documents(
                frame, grades[benchmark], ZoneSettings(**zone), frames[b, benchmark, "headrank-untrained"]
            ).assign(benchmark=benchmark)
            for (b, benchmark, m), frame in frames.items()
            if (b, m) == (backbone, method)
        ]
        documents = pd.concat(zones, ignore_index=True)
        pooled, macro = promotion(documents), promotion(documents, "macro")
        for group in ("relevant", "irrelevant"):
            share, n = getattr(pooled, group), getattr(pooled, f"n_{group}")
            low, high = (
                proportion_confint(round(share * n), n, alpha, method="wilson") if n else (share, share)
            )
            rows.append((backbone, method, group, share, low, high, n, getattr(macro, group)))
    columns = ["backbone", "method", "group", "promoted", "low", "high", "n", "macro"]
    write_parquet(output, pd.DataFrame(rows, columns=columns))


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input.rankings,
            snakemake.input.qrels,
            snakemake.params.cells,
            snakemake.params.zone,
            snakemake.params.alpha,
            snakemake.output.selectivity,
        )
