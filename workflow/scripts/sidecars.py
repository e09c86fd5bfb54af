"""Write metadata next to every TREC run, in the ir_metadata schema: what made it, and from what."""

from pathlib import Path

import yaml

from headrank.data.atomic import write_text
from headrank.data.json_files import read_json
from headrank.data.trec import read_tag
from headrank.jobs.job import job
from headrank.provenance.sidecars import sidecar


def main(provenance, runs, sidecars):
    root = Path(provenance).parent
    told = read_json(provenance, "provenance")
    for run, target in zip(runs, sidecars, strict=True):
        content = sidecar(Path(run).relative_to(root).as_posix(), read_tag(run), told)
        write_text(target, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(snakemake.input.provenance, snakemake.input.runs, snakemake.output)
