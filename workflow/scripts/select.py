"""Choose the heads that a method trains, on the stored features; the model is not run."""

import pandas as pd

from headrank import __version__
from headrank.detection import detect
from headrank.features import Features
from headrank.lists import subset_queries
from headrank.selection import select_headrank
from headrank.settings import Settings
from headrank.stage import stage


def main(inputs, given, queries, seed, output):
    settings = Settings.from_mapping(given)
    features = Features.load(inputs.features)
    lists = subset_queries(pd.read_parquet(inputs.lists), queries, seed)
    used = ["selection", "mass"] if settings.heads == "headrank" else ["baselines"]
    provenance = {
        "headrank": __version__,
        "queries": int(lists["qid"].nunique()),
        "seed": seed,
        "settings": {section: given[section] for section in used},
    }
    if settings.heads == "headrank":
        heads = select_headrank(features, lists, settings.selection, settings.mass, provenance=provenance)
    else:
        heads = detect(settings.heads, features, lists, settings.baselines, provenance)
    heads.save(output)


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.params.settings,
            snakemake.params.queries,
            snakemake.params.seed,
            snakemake.output.heads,
        )
