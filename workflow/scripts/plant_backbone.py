"""Build a backbone with planted heads from the study's own text."""

from headrank.data.collections import read_passages
from headrank.jobs.job import job
from headrank.planted.mini import build_mini_backbone


def main(name, spec, passages, directory):
    documents = [document for path in passages for document in read_passages(path).values()]
    build_mini_backbone(spec, documents, directory, where=f"backbones.{name}.planted")


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads, snakemake.input, snakemake.output):
        main(
            snakemake.wildcards.backbone,
            snakemake.params.spec,
            snakemake.input.passages,
            snakemake.output.backbone,
        )
