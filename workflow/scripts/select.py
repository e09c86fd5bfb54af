"""Choose the heads that a method trains, from the stored features; the model is not run."""

from headrank import __version__
from headrank.data.frames import read_parquet
from headrank.data.training_lists import subset_queries
from headrank.engine.features import Features
from headrank.heads.judged import Judged
from headrank.heads.selection import check_count
from headrank.jobs.job import job
from headrank.methods.table import CRITERIA
from headrank.settings import Settings


def main(inputs, given, queries, seed, outputs):
    features, lists = Features.load(inputs.features), read_parquet(inputs.lists)
    for variant, output in zip(given, outputs, strict=True):
        used = subset_queries(lists, queries[variant], seed)
        choose(features, used, given[variant], seed).save(output)


def choose(features, lists, given, seed):
    settings = Settings.from_mapping(given)
    criterion = CRITERIA[settings.heads]
    if "selection" in criterion.settings:
        check_count(settings.selection.k, features.n_layers, features.n_heads, "headrank.selection.k")
    provenance = {
        "headrank": __version__,
        "queries": int(lists["qid"].nunique()),
        "seed": seed,
        "settings": {section: given[section] for section in criterion.settings},
    }
    return criterion.choose(Judged(features, lists, settings, provenance))


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input,
            snakemake.params.settings,
            snakemake.params.queries,
            snakemake.params.seed,
            snakemake.output.heads,
        )
