"""List every artefact of the results folder with its SHA-256."""

from pathlib import Path

from headrank.manifest import write_manifest
from headrank.stage import stage


def main(output):
    write_manifest(Path(output).parent)


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(snakemake.output.manifest)
