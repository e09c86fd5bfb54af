"""Mine preference pairs (R7) from the frozen backbone's stored scores, and keep those scores (f0 of R8)."""

import pandas as pd

from headrank.features import Features
from headrank.files import write_parquet
from headrank.heads import HeadSet
from headrank.lists import subset_queries
from headrank.pairs import mine_pairs
from headrank.settings import Settings
from headrank.stage import stage


def main(inputs, given, queries, seed, outputs):
    features, lists = Features.load(inputs.features), pd.read_parquet(inputs.lists)
    for place, variant in enumerate(given):
        settings = Settings.from_mapping(given[variant])
        pairs, base = mine_pairs(
            features,
            subset_queries(lists, queries[variant], seed),
            HeadSet.load(inputs.heads[place]),
            settings.mass,
            settings.loss.score,
            settings.pairs,
            seed,
        )
        write_parquet(outputs.pairs[place], pairs)
        write_parquet(outputs.base[place], base)


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.params.settings,
            snakemake.params.queries,
            snakemake.params.seed,
            snakemake.output,
        )
