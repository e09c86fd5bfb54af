"""How alike the middle zone's scores are, before and after training: by prompt position, and in three measures."""

from pathlib import Path

from headrank.data.atomic import write_parquet
from headrank.data.frames import read_parquet
from headrank.data.trec import read_qrels
from headrank.evaluation.middle_zone import ZoneSettings
from headrank.evaluation.pooled_scores import pooled_homogenisation
from headrank.jobs.job import job


def main(rankings, qrels, cells, zone, averages, logarithmic, outputs):
    grades = {Path(path).parent.name: read_qrels(path) for path in qrels}
    frames = {
        tuple(cell): read_parquet(path)
        for cell, path in zip(cells, rankings, strict=True)
        if cell[2] in ("headrank-untrained", "headrank")
    }
    shares, measures = pooled_homogenisation(frames, grades, ZoneSettings(**zone), averages, logarithmic)
    write_parquet(outputs.profile, shares)
    write_parquet(outputs.measures, measures)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input.rankings,
            snakemake.input.qrels,
            snakemake.params.cells,
            snakemake.params.zone,
            snakemake.params.averages,
            snakemake.params.logarithmic,
            snakemake.output,
        )
