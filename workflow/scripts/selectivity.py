"""Count the middle-zone documents that reach the top quartile (R12), relevant and irrelevant ones."""

from pathlib import Path

from headrank.data.atomic import write_parquet
from headrank.data.frames import read_parquet
from headrank.data.trec import read_qrels
from headrank.evaluation.middle_zone import ZoneSettings
from headrank.evaluation.promoted import promoted_shares
from headrank.evaluation.significance import Resampling
from headrank.jobs.job import job


def main(rankings, qrels, cells, zone, resampling, averages, output):
    grades = {Path(path).parent.name: read_qrels(path) for path in qrels}
    frames = {tuple(cell): read_parquet(path) for cell, path in zip(cells, rankings, strict=True)}
    shares = promoted_shares(frames, grades, ZoneSettings(**zone), Resampling(**resampling), averages)
    write_parquet(output, shares)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input.rankings,
            snakemake.input.qrels,
            snakemake.params.cells,
            snakemake.params.zone,
            snakemake.params.resampling,
            snakemake.params.averages,
            snakemake.output.selectivity,
        )
