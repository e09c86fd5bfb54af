"""nDCG against the number of training queries, as a mean over benchmarks with its bootstrap interval."""

import pandas as pd

from headrank.data.atomic import write_parquet
from headrank.evaluation.significance import Resampling, bootstrap_interval
from headrank.jobs.job import stage


def main(inputs, numbers, backbone, resampling, outputs):
    metrics = pd.read_parquet(inputs.metrics)
    every = pd.read_parquet(inputs.lists, columns=["qid"])["qid"].nunique()

    def values(method):
        rows = metrics[metrics["method"] == method]
        return [part["value"].to_numpy() for _, part in rows.groupby("benchmark", sort=False)]

    def mean(method):
        parts = values(method)
        return sum(part.mean() for part in parts) / len(parts)

    rows = []
    for variant, queries in {**numbers, "headrank": every}.items():
        rows.append(
            (backbone, queries, mean(variant), *bootstrap_interval(values(variant), Resampling(**resampling)))
        )
    write_parquet(outputs.curve, pd.DataFrame(rows, columns=["backbone", "queries", "ndcg", "low", "high"]))
    levels = [("", "bm25", mean("bm25")), (backbone, "headrank-untrained", mean("headrank-untrained"))]
    write_parquet(outputs.references, pd.DataFrame(levels, columns=["backbone", "method", "ndcg"]))


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.params.queries,
            snakemake.params.backbone,
            snakemake.params.resampling,
            snakemake.output,
        )
