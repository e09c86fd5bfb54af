"""List every artefact of the results folder with its SHA-256."""

from pathlib import Path

from headrank.jobs.job import job
from headrank.provenance.manifest import write_manifest


def main(output):
    write_manifest(Path(output).parent)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(snakemake.output.manifest)
