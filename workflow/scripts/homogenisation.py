"""Average list-normalised scores by prompt position, before and after training."""

from pathlib import Path

import pandas as pd

from headrank.files import write_parquet
from headrank.homogenisation import profile
from headrank.runs import read_qrels
from headrank.stage import stage
from headrank.zone import ZoneSettings


def main(rankings, qrels, cells, zone, output):
    grades = {
        # Query ids of different benchmarks may be the same.
        f"{Path(path).parent.name}/{qid}": judged
        for path in qrels
        for qid, judged in read_qrels(path).items()
    }
    pooled = {}
    for (backbone, benchmark, method), path in zip(cells, rankings, strict=True):
        if method in ("headrank-untrained", "headrank"):
            frame = pd.read_parquet(path)
            frame["qid"] = f"{benchmark}/" + frame["qid"].astype(str)
            pooled.setdefault((backbone, method), []).append(frame)
    parts = []
    for (backbone, method), frames in pooled.items():
        mean = profile(pd.concat(frames, ignore_index=True), grades, ZoneSettings(**zone), "share")
        parts.append(mean.assign(backbone=backbone, method=method))
    write_parquet(output, pd.concat(parts, ignore_index=True))


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input.rankings,
            snakemake.input.qrels,
            snakemake.params.cells,
            snakemake.params.zone,
            snakemake.output.profile,
        )
