"""Evaluate runs: metrics of every query, one tidy row each; and the bounds on any order of the candidates.

With a fusion constant each run is fused with the first stage before it is evaluated.
"""

from pathlib import Path

from headrank.data.atomic import write_parquet
from headrank.data.trec import read_qrels, read_run
from headrank.evaluation.per_query import per_query
from headrank.jobs.job import job
from headrank.retrieval.fusion import reciprocal_rank_fusion


def main(inputs, cells, depth, metrics, fusion, output):
    # A collection's name is its directory's.
    qrels = {Path(path).parent.name: read_qrels(path) for path in inputs.qrels}
    whole = {Path(path).parent.name: read_run(path) for path in inputs.candidates}
    reranked = {name: {qid: ranked[:depth] for qid, ranked in run.items()} for name, run in whole.items()}
    runs = ((tuple(cell), read_run(path)) for cell, path in zip(cells, inputs.runs, strict=True))
    if fusion is not None:
        runs = ((cell, reciprocal_rank_fusion([whole[cell[1]], run], fusion)) for cell, run in runs)
    bounded = reranked if fusion is None else {}
    write_parquet(output, per_query(whole, bounded, runs, qrels, metrics))


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input,
            snakemake.params.cells,
            snakemake.params.depth,
            snakemake.params.metrics,
            snakemake.params.fusion,
            snakemake.output.metrics,
        )
