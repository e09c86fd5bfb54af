"""The main metric against the number of training queries, as a mean over benchmarks with its bootstrap interval."""

from headrank.data.atomic import write_parquet
from headrank.data.frames import read_parquet
from headrank.evaluation.per_query import only
from headrank.evaluation.query_curve import query_curve
from headrank.evaluation.significance import Resampling
from headrank.jobs.job import job


def main(inputs, metric, numbers, backbone, resampling, outputs):
    values = only(read_parquet(inputs.metrics), metric)
    every = read_parquet(inputs.lists, columns=["qid"])["qid"].nunique()
    references = {"bm25": "", "headrank-untrained": backbone}
    variants = {**numbers, "headrank": every}
    curve, levels = query_curve(values, variants, references, backbone, Resampling(**resampling))
    write_parquet(outputs.curve, curve)
    write_parquet(outputs.references, levels)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input,
            snakemake.params.metric,
            snakemake.params.queries,
            snakemake.params.backbone,
            snakemake.params.resampling,
            snakemake.output,
        )
