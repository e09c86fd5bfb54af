"""Read every head's document masses on the training lists: one forward pass per list serves all later stages."""

from functools import partial
from pathlib import Path

from headrank.data.frames import read_parquet
from headrank.process.large_imports import uncollected

with uncollected(for_good=True):
    from headrank.data.collections import open_collection, read_passages
    from headrank.data.training_lists import by_list
    from headrank.engine.backbone import load_backbone
    from headrank.engine.extract import collect_features
    from headrank.engine.fingerprint import fingerprint
    from headrank.jobs.finished_blocks import Finished
    from headrank.jobs.job import job
    from headrank.jobs.shards import blocks_of, join_features
    from headrank.process.progress import whole_job
    from headrank.prompts.builder import PromptBuilder
    from headrank.settings import Settings


def main(inputs, params, tokens_per_pass, outputs):
    settings = Settings.from_mapping(params.settings)
    backbone = load_backbone(inputs.backbone, dtype=params.model["dtype"], device=params.model["device"])
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    pools = {}
    files = zip(params.states, inputs.queries, inputs.passages, inputs.lists, strict=True)
    for pool, asked, texts, drawn in files:
        queries = open_collection(pool, {"source": "local", "path": str(Path(asked).parent)}).queries()
        lists = lists_of(drawn, queries, read_passages(texts))
        # A shard may have no list of a small pool; its file is then empty.
        pools[pool] = blocks_of(lists, *params.shard) or [[]]
    owner = (params.library, fingerprint(inputs.backbone), params.settings, params.model, tokens_per_pass)
    finished = Finished(Path(params.unfinished), owner)

    def read(block, layer):
        features = collect_features(
            backbone,
            builder,
            dict(block),
            settings.query_span,
            settings.document_span,
            tokens_per_pass,
            layer,
        )
        return {"features": features}

    with whole_job(sum(len(block) for blocks in pools.values() for block in blocks), "features", "list"):
        for (pool, blocks), output in zip(pools.items(), outputs, strict=True):
            layer = settings.routehead.states_layer(backbone.n_layers) if params.states[pool] else None
            work = partial(read, layer=layer)
            parts = [finished.run(layer, block, work)["features"] for block in blocks]
            join_features(parts, [number for part in parts for number in part.ids]).save(output)
    finished.forget()


def lists_of(path, queries, passages):
    """(list number, (query, its passages)) of every list."""
    return [
        (str(number), (queries[group["qid"].iloc[0]], [passages[docid] for docid in group["docid"]]))
        for number, group in by_list(read_parquet(path)).items()
    ]


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads, snakemake.input, snakemake.output):
        main(
            snakemake.input,
            snakemake.params,
            snakemake.resources.tokens_per_pass,
            snakemake.output.features,
        )
