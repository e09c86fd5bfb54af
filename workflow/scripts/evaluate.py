"""Evaluate runs: nDCG of every query, one tidy row each; and what the order of the candidates can make of it."""

from pathlib import Path

import pandas as pd

from headrank.bounds import ndcg_bounds
from headrank.evaluation import evaluate
from headrank.files import write_parquet
from headrank.runs import read_qrels, read_run
from headrank.stage import stage


def main(runs, candidates, qrels, cells, depth, cutoff, output):
    # A collection's name is its directory's.
    grades = {Path(path).parent.name: read_qrels(path) for path in qrels}
    metric = f"nDCG@{cutoff}"
    parts = []
    for path in candidates:
        benchmark = Path(path).parent.name
        run = read_run(path)
        first = evaluate(run, grades[benchmark], [f"ndcg@{cutoff}"]).assign(method="bm25")
        reranked = {qid: [docid for docid, _ in documents[:depth]] for qid, documents in run.items()}
        bounds = ndcg_bounds(reranked, grades[benchmark], cutoff)
        parts += [part.assign(backbone="", benchmark=benchmark) for part in (first, bounds)]
    for path, (backbone, benchmark, method) in zip(runs, cells, strict=True):
        values = evaluate(read_run(path), grades[benchmark], [f"ndcg@{cutoff}"])
        parts.append(values.assign(backbone=backbone, benchmark=benchmark, method=method))
    whole = pd.concat(parts, ignore_index=True).assign(metric=metric)
    write_parquet(output, whole[["backbone", "benchmark", "method", "qid", "metric", "value"]])


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input.runs,
            snakemake.input.candidates,
            snakemake.input.qrels,
            snakemake.params.cells,
            snakemake.params.depth,
            snakemake.params.cutoff,
            snakemake.output.metrics,
        )
