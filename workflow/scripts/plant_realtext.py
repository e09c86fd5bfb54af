"""Build a backbone with planted heads and a real tokenizer from the passages of real collections."""

from pathlib import Path

from headrank.data.collections import read_passages
from headrank.jobs.job import job
from headrank.planted.realtext import build_realtext


def main(name, spec, passages, tokenizer, directory):
    corpora = {Path(path).parent.name: read_passages(path).values() for path in passages}
    build_realtext(spec, corpora, Path(tokenizer).parent, directory, where=f"backbones.{name}.realtext")


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads, snakemake.input, snakemake.output):
        main(
            snakemake.wildcards.backbone,
            snakemake.params.spec,
            snakemake.input.passages,
            snakemake.input.tokenizer,
            snakemake.output.backbone,
        )
