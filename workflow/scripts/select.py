"""Choose a method's heads on the stored features; the model is not run."""

import pandas as pd

from headrank.features import Features
from headrank.lists import subset_queries
from headrank.selection import select_core, select_headrank, select_qrhead
from headrank.settings import Settings
from headrank.stage import stage


def main(inputs, method, settings, queries, seed, output):
    settings = Settings.from_mapping(settings)
    features = Features.load(inputs.features)
    lists = subset_queries(pd.read_parquet(inputs.lists), queries, seed)
    provenance = {"variant": method, "queries": int(lists["qid"].nunique()), "seed": seed}
    if method == "qrhead":
        heads = select_qrhead(features, lists, settings.baselines, provenance)
    elif method == "core":
        heads = select_core(features, lists, settings.baselines, provenance)
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
