"""Check that each ranking holds every candidate exactly once, and count ties, empty documents and valid answers."""

from pathlib import Path

from headrank.data.atomic import write_parquet
from headrank.data.frames import read_parquet
from headrank.data.trec import read_run
from headrank.evaluation.formats import format_counts
from headrank.generative.calls import read_calls
from headrank.jobs.job import job


def main(rankings, cells, calls, candidates, depth, writing, output):
    # For training collections, the first stage keeps more candidates than are ranked.
    expected = {
        Path(path).parent.name: {
            qid: [docid for docid, _ in ranked[:depth]] for qid, ranked in read_run(path).items()
        }
        for path in candidates
    }
    answers = {cell_of(path): read_calls(path) for path in calls}
    frames = ((tuple(cell), read_parquet(path)) for cell, path in zip(cells, rankings, strict=True))
    write_parquet(output, format_counts(frames, expected, answers, writing))


def cell_of(path):
    """(backbone, benchmark, method) of a file of calls."""
    backbone, benchmark, name = Path(path).parts[-3:]
    return backbone, benchmark, name.split(".")[0]


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input.rankings,
            snakemake.params.cells,
            snakemake.input.calls,
            snakemake.input.candidates,
            snakemake.params.depth,
            snakemake.params.writing,
            snakemake.output.counts,
        )
