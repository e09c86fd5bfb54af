"""Mine preference pairs (R7) from the frozen backbone's stored scores, and keep those scores (f0 of R8)."""

import pandas as pd

from headrank.data.atomic import write_parquet
from headrank.data.training_lists import subset_queries
from headrank.engine.features import Features
from headrank.heads.head_set import HeadSet
from headrank.jobs.job import stage
from headrank.settings import Settings
from headrank.training.pairs import mine_pairs


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
