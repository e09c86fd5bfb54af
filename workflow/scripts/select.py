"""Choose a method's heads on the stored features; the model is not run."""

import pandas as pd

from headrank import __version__
from headrank.detection import CRITERIA, detect
from headrank.errors import InputError
from headrank.features import Features
from headrank.lists import subset_queries
from headrank.selection import select_headrank
from headrank.settings import Settings
from headrank.stage import stage


def main(inputs, method, trained, given, queries, seed, output):
    settings = Settings.from_mapping(given)
    # A trained method's heads are those of the criterion that its settings name; others are named after it, with a
    # suffix where they are detected on their own kind of data.
    criterion = given["heads"] if trained else method.removesuffix("-own")
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
    elif criterion == "headrank":
        heads = select_headrank(features, lists, settings.selection, settings.mass, provenance=provenance)
    else:
        raise InputError(f"heads: {criterion!r} is unknown; known: headrank, {', '.join(CRITERIA)}")
    heads.save(output)


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.wildcards.variant,
            snakemake.params.trained,
            snakemake.params.settings,
            snakemake.params.queries,
            snakemake.params.seed,
            snakemake.output.heads,
        )
