"""Mine preference pairs (R7) from the frozen backbone's stored scores, and keep those scores (f0 of R8)."""

import pandas as pd

from headrank.features import Features
from headrank.files import write_parquet
from headrank.heads import HeadSet
from headrank.lists import subset_queries
from headrank.pairs import mine_pairs
from headrank.settings import Settings
from headrank.stage import stage


def main(inputs, settings, queries, seed, outputs):
    settings = Settings.from_mapping(settings)
    pairs, base = mine_pairs(
        Features.load(inputs.features),
        subset_queries(pd.read_parquet(inputs.lists), queries, seed),
        HeadSet.load(inputs.heads),
        settings.mass,
        settings.loss.score,
        settings.pairs,
        seed,
    )
    write_parquet(outputs.pairs, pairs)
    write_parquet(outputs.base, base)


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.params.settings,
            snakemake.params.queries,
            snakemake.params.seed,
            snakemake.output,
        )
