"""Download a collection of ir_datasets and count what it holds; all later jobs work without a network."""

import logging
import os

from headrank.data.atomic import write_json
from headrank.data.downloads import fetch_collection
from headrank.jobs.job import job


def main(name, identifier, official, output):
    for key in ("IR_DATASETS_HOME", "IR_DATASETS_TMP"):
        logging.info("%s: %s", key, os.environ.get(key, "(default)"))
    write_json(output, fetch_collection(name, identifier, official))


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.wildcards.collection,
            snakemake.params.id,
            snakemake.params.official,
            snakemake.output.source,
        )
