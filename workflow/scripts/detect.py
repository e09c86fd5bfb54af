"""Choose the heads of the methods other than HeadRank from the stored features; the model is not run.

One job chooses for all of them, as each takes only moments.
"""

from pathlib import Path

from headrank import __version__
from headrank.data.frames import read_parquet
from headrank.engine.features import Features
from headrank.heads.judged import Judged
from headrank.jobs.job import job
from headrank.methods.table import HEAD_SETS
from headrank.settings import Settings


def main(features, lists, given, seed, outputs):
    settings = Settings.from_mapping(given)
    pools = {
        Path(path).stem: (Features.load(path), read_parquet(judged))
        for path, judged in zip(features, lists, strict=True)
    }
    for path in outputs:
        method = HEAD_SETS[Path(path).stem]
        stored, judged = pools[method.pool]
        provenance = {
            "headrank": __version__,
            "queries": int(judged["qid"].nunique()),
            "seed": seed,
            "settings": given,
        }
        method.criterion.choose(Judged(stored, judged, settings, provenance)).save(path)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input.features,
            snakemake.input.lists,
            snakemake.params.settings,
            snakemake.params.seed,
            snakemake.output.heads,
        )
