"""Download one revision of a checkpoint from the Hugging Face hub and link its files into the study.

The files themselves stay in the hub's cache: Snakemake removes the outputs of a failed job, but a download that was
cut off should be resumed.
"""

import os

# The study is offline except for its downloads; the hub's client reads this when it is imported.
os.environ["HF_HUB_OFFLINE"] = "0"

from headrank.data.atomic import whole_folder
from headrank.engine.hub import fetch_snapshot
from headrank.jobs.job import job


def main(identifier, revision, directory):
    folder = fetch_snapshot(identifier, revision)
    with whole_folder(directory) as target:
        for path in (path for path in sorted(folder.rglob("*")) if path.is_file()):
            link = target / path.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.resolve())


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(snakemake.params.id, snakemake.params.revision, snakemake.output.backbone)
