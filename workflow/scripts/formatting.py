"""Check that each ranking holds every candidate exactly once, and count ties and empty documents."""

from pathlib import Path

import pandas as pd

from headrank.files import write_parquet
from headrank.runs import read_run
from headrank.stage import stage


def main(rankings, cells, candidates, depth, output):
    # Of training collections the first stage keeps more candidates than are ranked.
    expected = {
        Path(path).parent.name: {
            q: sorted(d for d, _ in ranked[:depth]) for q, ranked in read_run(path).items()
        }
        for path in candidates
    }
    rows = []
    for path, (backbone, benchmark, method) in zip(rankings, cells, strict=True):
        frame = pd.read_parquet(path)
        found = {qid: sorted(group) for qid, group in frame.groupby("qid")["docid"]}
        valid = sum(found.get(qid) == docids for qid, docids in expected[benchmark].items())
        ties = int(frame.duplicated(["qid", "score"], keep=False).sum())
        rows.append(
            (backbone, method, benchmark, len(expected[benchmark]), valid, ties, int(frame["empty"].sum()))
        )
    columns = "backbone method benchmark queries permutations ties empty_documents"
    write_parquet(output, pd.DataFrame(rows, columns=columns.split()))


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input.rankings,
            snakemake.params.cells,
            snakemake.input.candidates,
            snakemake.params.depth,
            snakemake.output.counts,
        )
