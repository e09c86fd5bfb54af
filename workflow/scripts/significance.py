"""Test methods against each other: paired randomisation over queries, Holm's correction, per backbone."""

from headrank.data.atomic import write_parquet
from headrank.data.frames import read_parquet
from headrank.evaluation.families import compare_on_each_backbone
from headrank.evaluation.per_query import only
from headrank.evaluation.significance import Resampling
from headrank.jobs.job import job


def main(metrics, metric, pairs, family, averages, resampling, output):
    values = only(read_parquet(metrics), metric)
    pairs = [tuple(pair) for pair in pairs]
    tests = compare_on_each_backbone(values, pairs, Resampling(**resampling), family, averages)
    write_parquet(output, tests)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input.metrics,
            snakemake.params.metric,
            snakemake.params.pairs,
            snakemake.params.family,
            snakemake.params.averages,
            snakemake.params.resampling,
            snakemake.output.tests,
        )
