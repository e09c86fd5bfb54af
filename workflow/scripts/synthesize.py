"""Make a synthetic graded collection: corpus, queries and judgements in BEIR's layout."""

from pathlib import Path

from headrank.jobs.job import job
from headrank.planted.synthetic import generate


def main(name, spec, corpus):
    generate(spec, Path(corpus).parent, where=f"collections.{name}.synthetic")


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(snakemake.wildcards.collection, snakemake.params.spec, snakemake.output.corpus)
