"""Download a GGUF file from the Hugging Face hub and link it into the study.

The file itself stays in the hub's cache, as those of other checkpoints do.
"""

import os

# The study is offline except for its downloads; the hub's client reads this when it is imported.
os.environ["HF_HUB_OFFLINE"] = "0"

from pathlib import Path

from headrank.engine.hub import fetch_file
from headrank.jobs.job import job


def main(identifier, revision, file, sha256, target):
    Path(target).symlink_to(fetch_file(identifier, revision, file, sha256).resolve())


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        asked = snakemake.params
        main(asked.id, asked.revision, asked.file, asked.sha256, snakemake.output.file)
