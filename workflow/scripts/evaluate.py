"""Evaluate runs: nDCG of every query, one tidy row each; and what the order of the candidates can make of it.

With a fusion constant each run is fused with the first stage before it is evaluated.
"""

from pathlib import Path

import pandas as pd

from headrank.data.atomic import write_parquet
from headrank.data.trec import read_qrels, read_run
from headrank.evaluation.bounds import ndcg_bounds
from headrank.evaluation.metrics import evaluate
from headrank.jobs.job import stage
from headrank.retrieval.fusion import reciprocal_rank_fusion


def main(runs, candidates, qrels, cells, depth, cutoff, fusion, output):
    # A collection's name is its directory's.
    grades = {Path(path).parent.name: read_qrels(path) for path in qrels}
    metric = f"nDCG@{cutoff}"
    parts, firsts = [], {}
    for path in candidates:
        benchmark = Path(path).parent.name
        run = read_run(path)
        first = evaluate(run, grades[benchmark], [f"ndcg@{cutoff}"]).assign(method="bm25")
        firsts[benchmark] = {qid: documents[:depth] for qid, documents in run.items()}
        reranked = {qid: [docid for docid, _ in documents] for qid, documents in firsts[benchmark].items()}
        bounds = ndcg_bounds(reranked, grades[benchmark], cutoff)
        shown = [first] if fusion is not None else [first, bounds]
        parts += [part.assign(backbone="", benchmark=benchmark) for part in shown]
    for path, (backbone, benchmark, method) in zip(runs, cells, strict=True):
        run = read_run(path)
        if fusion is not None:
            run = reciprocal_rank_fusion([firsts[benchmark], run], fusion)
        values = evaluate(run, grades[benchmark], [f"ndcg@{cutoff}"])
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
            snakemake.params.fusion,
            snakemake.output.metrics,
        )
