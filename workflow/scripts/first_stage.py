"""Compare the first stage with its published figures before any model reads its candidates."""

import sys

import pandas as pd

from headrank.data.atomic import write_parquet
from headrank.data.trec import read_qrels, read_run
from headrank.jobs.job import job
from headrank.retrieval.published_check import check_first_stage, measure_first_stage


def main(runs, qrels, collections, stages, published, tolerance, output):
    each = zip(runs, qrels, collections, stages, published, strict=True)
    measured = pd.concat(
        [measure_first_stage(name, read_run(r), read_qrels(q), p, s) for r, q, name, s, p in each],
        ignore_index=True,
    )
    # For the log: the output of a failed job is removed.
    print(measured.to_string(index=False), file=sys.stderr)
    check_first_stage(measured, tolerance)
    write_parquet(output, measured)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input.runs,
            snakemake.input.qrels,
            snakemake.params.collections,
            snakemake.params.stages,
            snakemake.params.published,
            snakemake.params.tolerance,
            snakemake.output.measured,
        )
