"""Test methods against each other: paired randomisation over queries, Holm's correction, per backbone."""

import pandas as pd

from headrank.data.atomic import write_parquet
from headrank.evaluation.significance import Resampling, compare
from headrank.jobs.job import stage


def main(metrics, pairs, family, averages, resampling, output):
    values = pd.read_parquet(metrics)
    first = values[values["backbone"] == ""]
    parts = []
    for backbone, rows in values[values["backbone"] != ""].groupby("backbone", sort=False):
        # The first stage has no backbone of its own and takes part in each one's tests.
        both = pd.concat([first, rows])
        # Not every method has weights of every size.
        there = set(both["method"])
        tests = compare(
            both,
            [tuple(pair) for pair in pairs if set(pair) <= there],
            Resampling(**resampling),
            family=family,
            averages=averages,
        )
        parts.append(tests.rename(columns={"p": "p_value"}).assign(backbone=backbone))
    write_parquet(output, pd.concat(parts, ignore_index=True))


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input.metrics,
            snakemake.params.pairs,
            snakemake.params.family,
            snakemake.params.averages,
            snakemake.params.resampling,
            snakemake.output.tests,
        )
