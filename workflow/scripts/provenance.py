"""Record where the study's results come from; what differs from run to run is read here and is not a parameter."""

from pathlib import Path

from headrank.data.atomic import write_json
from headrank.jobs.job import job
from headrank.provenance import record


def main(output, configuration, repository, models, skip):
    write_json(output, record(Path(output).parent, configuration, repository, models, skip))


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.output.provenance,
            snakemake.params.configuration,
            Path(snakemake.scriptdir).resolve().parents[1],
            snakemake.params.models,
            snakemake.params.skip,
        )
