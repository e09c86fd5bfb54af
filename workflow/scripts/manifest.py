"""List every artefact of the results folder with its SHA-256."""

from pathlib import Path

from headrank.jobs.job import job
from headrank.provenance.manifest import write_manifest


def main(finished, output):
    root = Path(output).parent
    write_manifest(root, [str(Path(path).relative_to(root)) for path in finished])


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(snakemake.input, snakemake.output.manifest)
