"""Collect the heads that each query of each benchmark was routed to."""

import pandas as pd

from headrank.data.atomic import write_parquet
from headrank.data.frames import read_parquet
from headrank.jobs.job import job


def main(paths, cells, output):
    parts = [
        read_parquet(path).assign(backbone=backbone, benchmark=benchmark)
        for path, (backbone, benchmark) in zip(paths, cells, strict=True)
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame = frame[frame["method"] == "routehead"]
    write_parquet(output, frame[["backbone", "benchmark", "qid", "layer", "head"]])


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(snakemake.input.routes, snakemake.params.cells, snakemake.output.routes)
