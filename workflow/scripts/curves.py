"""Put the training curves of all backbones into one tidy frame."""

import pandas as pd

from headrank.data.atomic import write_parquet
from headrank.jobs.job import job


def main(paths, backbones, output):
    parts = [
        pd.read_csv(path).assign(backbone=backbone, variant="headrank")
        for path, backbone in zip(paths, backbones, strict=True)
    ]
    write_parquet(output, pd.concat(parts, ignore_index=True))


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(snakemake.input.curves, snakemake.params.backbones, snakemake.output.curves)
