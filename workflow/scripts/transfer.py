"""How well heads found on one benchmark rank another, from stored masses."""

from headrank.data.atomic import write_parquet
from headrank.data.frames import read_parquet
from headrank.data.trec import read_qrels
from headrank.engine.features import Features
from headrank.heads.head_set import HeadSet
from headrank.heads.replay import StoredMasses
from headrank.heads.transfer import transfer
from headrank.jobs.job import job
from headrank.settings import Settings


def main(inputs, backbone, benchmarks, settings, metric, output):
    settings = Settings.from_mapping(settings)
    stored, qrels = {}, {}
    for name, masses, ranking, judged in zip(
        benchmarks, inputs.masses, inputs.rankings, inputs.qrels, strict=True
    ):
        stored[name] = StoredMasses.of(Features.load(masses), read_parquet(ranking), settings)
        qrels[name] = read_qrels(judged)
    count = len(HeadSet.load(inputs.heads).heads)
    found = transfer(stored, qrels, count, metric).assign(backbone=backbone, count=count)
    write_parquet(output, found[["backbone", "source", "benchmark", "count", "value"]])


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input,
            snakemake.wildcards.backbone,
            snakemake.params.benchmarks,
            snakemake.params.settings,
            snakemake.params.metric,
            snakemake.output.transfer,
        )
