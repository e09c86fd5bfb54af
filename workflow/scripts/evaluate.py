"""Evaluate runs: nDCG of every query, one tidy row each."""

from pathlib import Path

import pandas as pd

from headrank.evaluation import evaluate
from headrank.files import write_parquet
from headrank.runs import read_qrels, read_run
from headrank.stage import stage


def main(runs, candidates, qrels, cells, cutoff, output):
    # A collection's name is its directory's.
    grades = {Path(path).parent.name: read_qrels(path) for path in qrels}
    first = [(path, ("", Path(path).parent.name, "bm25")) for path in candidates]
    parts = []
    for path, (backbone, benchmark, method) in [*first, *zip(runs, cells, strict=True)]:
        values = evaluate(read_run(path), grades[benchmark], [f"ndcg@{cutoff}"])
        values = values.assign(backbone=backbone, benchmark=benchmark, method=method, metric=f"nDCG@{cutoff}")
        parts.append(values[["backbone", "benchmark", "method", "qid", "metric", "value"]])
    write_parquet(output, pd.concat(parts, ignore_index=True))


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input.runs,
            snakemake.input.candidates,
            snakemake.input.qrels,
            snakemake.params.cells,
            snakemake.params.cutoff,
            snakemake.output.metrics,
        )
