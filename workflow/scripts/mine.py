"""Mine preference pairs (R7) from the frozen backbone's stored scores, and keep those scores (f0 of R8)."""

from headrank.data.atomic import write_parquet
from headrank.data.frames import read_parquet
from headrank.data.training_lists import subset_queries
from headrank.engine.features import Features
from headrank.heads.head_set import HeadSet
from headrank.jobs.job import job
from headrank.settings import Settings
from headrank.training.pairs import mine_pairs


def main(inputs, given, queries, seed, outputs):
    features, lists = Features.load(inputs.features), read_parquet(inputs.lists)
    files = zip(given, inputs.heads, outputs.pairs, outputs.base, strict=True)
    for variant, heads, pairs_path, base_path in files:
        settings = Settings.from_mapping(given[variant])
        pairs, base = mine_pairs(
            features,
            subset_queries(lists, queries[variant], seed),
            HeadSet.load(heads),
            settings.mass,
            settings.loss.score,
            settings.pairs,
            seed,
        )
        write_parquet(pairs_path, pairs)
        write_parquet(base_path, base)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input,
            snakemake.params.settings,
            snakemake.params.queries,
            snakemake.params.seed,
            snakemake.output,
        )
