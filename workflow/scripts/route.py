"""Train RouteHead's router on the stored features: candidate heads, labels by search, router; the model is not run."""

from headrank import __version__
from headrank.data.atomic import write_text
from headrank.data.frames import read_parquet
from headrank.engine.features import Features
from headrank.heads.routing.labels import candidate_heads, label_lists
from headrank.heads.routing.router import train_router
from headrank.jobs.job import job
from headrank.settings import Settings


def main(inputs, given, seed, outputs):
    settings = Settings.from_mapping(given).routehead
    features = Features.load(inputs.features)
    lists = read_parquet(inputs.lists)
    provenance = {
        "headrank": __version__,
        "queries": int(lists["qid"].nunique()),
        "seed": seed,
        "settings": given,
    }
    candidates = candidate_heads(features, lists, settings.candidates, provenance)
    ids, labels, _ = label_lists(features, lists, candidates, settings.budget)
    states = features.values["states"][features.rows(ids)]
    layer = settings.states_layer(features.n_layers)
    router, curve = train_router(states, labels, candidates, layer, settings, seed)
    router.save(outputs.router)
    candidates.save(outputs.heads)
    write_text(outputs.curve, curve.to_csv(index=False, lineterminator="\n"))


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads, snakemake.input, snakemake.output):
        main(
            snakemake.input,
            snakemake.params.settings,
            snakemake.params.seed,
            snakemake.output,
        )
