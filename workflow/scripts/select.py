"""Choose a method's heads on the stored features; the model is not run."""

import pandas as pd

from headrank import __version__
from headrank.detection import CRITERIA, detect
from headrank.features import Features
from headrank.lists import subset_queries
from headrank.selection import select_headrank
from headrank.settings import Settings
from headrank.stage import stage


def main(inputs, method, given, queries, seed, output):
    settings = Settings.from_mapping(given)
    # Another method's heads, on its own kind of data or on the training queries, or a variant of HeadRank's.
    criterion = method.removesuffix("-own")
    features = Features.load(inputs.features)
    lists = subset_queries(pd.read_parquet(inputs.lists), queries, seed)
    used = {key: given[key] for key in (["baselines"] if criterion in CRITERIA else ["selection", "mass"])}
    provenance = {
        "headrank": __version__,
        "queries": int(lists["qid"].nunique()),
        "seed": seed,
        "settings": used,
    }
    if criterion in CRITERIA:
        heads = detect(criterion, features, lists, settings.baselines, provenance)
    else:
        heads = select_headrank(features, lists, settings.selection, settings.mass, provenance=provenance)
    heads.save(output)


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.wildcards.variant,
            snakemake.params.settings,
            snakemake.params.queries,
            snakemake.params.seed,
            snakemake.output.heads,
        )
