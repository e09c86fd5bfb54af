"""Choose a method's heads on the stored features; the model is not run."""

import pandas as pd

from headrank import __version__
from headrank.features import Features
from headrank.lists import subset_queries
from headrank.selection import select_core, select_headrank, select_qrhead
from headrank.settings import Settings
from headrank.stage import stage


def main(inputs, method, given, queries, seed, output):
    settings = Settings.from_mapping(given)
    # A method's heads, on its own kind of data or on the training queries, or a variant of HeadRank's.
    kind = method.removesuffix("-own") if method.removesuffix("-own") in ("qrhead", "core") else "headrank"
    features = Features.load(inputs.features)
    lists = subset_queries(pd.read_parquet(inputs.lists), queries, seed)
    used = {section: given[section] for section in (given if kind == "headrank" else ["baselines"])}
    provenance = {
        "headrank": __version__,
        "queries": int(lists["qid"].nunique()),
        "seed": seed,
        "settings": used,
    }
    if kind == "qrhead":
        heads = select_qrhead(features, lists, settings.baselines, provenance)
    elif kind == "core":
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
