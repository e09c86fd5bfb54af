"""Whether heads found on one benchmark serve another, from stored masses."""

import pandas as pd

from headrank.features import Features
from headrank.files import write_parquet
from headrank.heads import HeadSet
from headrank.runs import read_qrels
from headrank.settings import Settings
from headrank.stage import stage
from headrank.stored import Stored
from headrank.transfer import transfer


def main(inputs, backbone, benchmarks, settings, cutoff, output):
    settings = Settings.from_mapping(settings)
    stored, qrels = {}, {}
    for name, masses, ranking, judged in zip(
        benchmarks, inputs.masses, inputs.rankings, inputs.qrels, strict=True
    ):
        stored[name] = Stored.of(Features.load(masses), pd.read_parquet(ranking), settings)
        qrels[name] = read_qrels(judged)
    count = len(HeadSet.load(inputs.heads).heads)
    found = transfer(stored, qrels, count, cutoff).assign(backbone=backbone, count=count)
    write_parquet(output, found[["backbone", "source", "benchmark", "count", "value"]])


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.wildcards.backbone,
            snakemake.params.benchmarks,
            snakemake.params.settings,
            snakemake.params.cutoff,
            snakemake.output.transfer,
        )
