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


def main(inputs, settings, with_states, model, tokens_per_pass, shard, output):
    settings = Settings.from_mapping(settings)
    backbone = load_backbone(inputs.backbone, dtype=model["dtype"], device=model["device"])
    queries = open_collection(
        "training", {"source": "local", "path": str(Path(inputs.queries).parent)}
    ).queries()
    passages = read_passages(inputs.passages)
    lists = [
        (str(number), (queries[group["qid"].iloc[0]], [passages[docid] for docid in group["docid"]]))
        for number, group in by_list(pd.read_parquet(inputs.lists)).items()
    ]
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    layer = settings.routehead.states_layer(backbone.n_layers) if with_states else None
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
    join_features(parts, [number for part in parts for number in part.ids]).save(output)


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
