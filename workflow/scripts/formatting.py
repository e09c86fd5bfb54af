"""Check that each ranking holds every candidate exactly once, and count ties, empty documents and sound answers."""

from pathlib import Path

import pandas as pd

from headrank.data.atomic import write_parquet
from headrank.data.trec import read_run
from headrank.generative.calls import read_calls
from headrank.jobs.job import stage


def main(rankings, cells, calls, candidates, depth, writing, output):
    # Of training collections the first stage keeps more candidates than are ranked.
    expected = {
        Path(path).parent.name: {
            q: sorted(d for d, _ in ranked[:depth]) for q, ranked in read_run(path).items()
        }
        for path in candidates
    }
    answered = {
        (Path(p).parent.parent.name, Path(p).parent.name, Path(p).name.split(".")[0]): p for p in calls
    }
    rows = []
    for path, (backbone, benchmark, method) in zip(rankings, cells, strict=True):
        frame = pd.read_parquet(path)
        found = {qid: sorted(group) for qid, group in frame.groupby("qid")["docid"]}
        told = (float("nan"),) * 3
        wanted = expected[benchmark]
        if (backbone, benchmark, method) in answered:
            # Generative methods may run on part of the queries.
            wanted = {qid: wanted[qid] for qid in found}
            if method in writing:
                answers = read_calls(answered[backbone, benchmark, method])
                told = (len(answers), int(answers["complete"].sum()), int(answers["well_formed"].sum()))
        valid = sum(found.get(qid) == docids for qid, docids in wanted.items())
        ties = int(frame.duplicated(["qid", "score"], keep=False).sum())
        empty = int(frame["empty"].sum())
        rows.append((backbone, method, benchmark, len(wanted), valid, ties, empty, *told))
    columns = "backbone method benchmark queries permutations ties empty_documents calls complete well_formed"
    write_parquet(output, pd.DataFrame(rows, columns=columns.split()))


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input.rankings,
            snakemake.params.cells,
            snakemake.input.calls,
            snakemake.input.candidates,
            snakemake.params.depth,
            snakemake.params.writing,
            snakemake.output.counts,
        )
