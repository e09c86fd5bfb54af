"""Read every head's document masses on the training lists: one forward pass per list serves all that follows."""

from pathlib import Path

from headrank.imports import uncollected

with uncollected(for_good=True):
    import pandas as pd

    from headrank.backbone import load_backbone
    from headrank.collections import open_collection, read_passages
    from headrank.extract import collect_features
    from headrank.lists import by_list
    from headrank.prompt import PromptBuilder
    from headrank.settings import Settings
    from headrank.shards import blocks_of, join_features
    from headrank.stage import stage


def main(inputs, settings, with_states, model, tokens_per_pass, shard, outputs):
    settings = Settings.from_mapping(settings)
    backbone = load_backbone(inputs.backbone, dtype=model["dtype"], device=model["device"])
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    for place, pool in enumerate(with_states):
        queries = open_collection(
            pool, {"source": "local", "path": str(Path(inputs.queries[place]).parent)}
        ).queries()
        lists = lists_of(inputs.lists[place], queries, read_passages(inputs.passages[place]))
        layer = settings.routehead.states_layer(backbone.n_layers) if with_states[pool] else None
        read(backbone, builder, lists, settings, tokens_per_pass, layer, shard).save(outputs[place])


def lists_of(path, queries, passages):
    """(list number, (query, its passages)) of every list."""
    return [
        (str(number), (queries[group["qid"].iloc[0]], [passages[docid] for docid in group["docid"]]))
        for number, group in by_list(pd.read_parquet(path)).items()
    ]


def read(backbone, builder, lists, settings, tokens_per_pass, layer, shard):
    parts = [
        collect_features(
            backbone,
            builder,
            dict(block),
            settings.query_span,
            settings.document_span,
            tokens_per_pass,
            layer,
        )
        for block in blocks_of(lists, *shard) or [[]]
    ]
    return join_features(parts, [number for part in parts for number in part.ids])


if __name__ == "__main__":
    with stage(snakemake.log[0], snakemake.threads):
        main(
            snakemake.input,
            snakemake.params.settings,
            snakemake.params.states,
            snakemake.params.model,
            snakemake.resources.tokens_per_pass,
            snakemake.params.shard,
            snakemake.output.features,
        )
