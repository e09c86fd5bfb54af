"""Rerank with every method that leaves the backbone as it is: the fair ones share one forward pass per query.

One job reads the model once and serves all benchmarks, or its shard of their queries.
"""

from pathlib import Path

from headrank.imports import uncollected

with uncollected(for_good=True):
    from headrank.backbone import load_backbone
    from headrank.files import write_parquet
    from headrank.heads import HeadSet
    from headrank.prompt import PromptBuilder
    from headrank.rerankers import as_run, read_candidates_of
    from headrank.rerankers.faithful import rerank_faithful
    from headrank.rerankers.frozen import rerank_frozen
    from headrank.rerankers.registry import FAITHFUL, Parts, build
    from headrank.routing.router import Router
    from headrank.runs import write_run
    from headrank.settings import Settings
    from headrank.shards import blocks_of, join_features, join_frames
    from headrank.stage import stage
    from headrank.wording import beir_name


def main(inputs, benchmarks, queries, names, settings, model, tokens_per_pass, shard, masses_paths):
    settings = Settings.from_mapping(settings)
    backbone = load_backbone(inputs.backbone, dtype=model["dtype"], device=model["device"])
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    heads = {Path(path).stem: HeadSet.load(path) for path in inputs.heads}
    router = Router.load(inputs.router) if inputs.router else None
    methods = build(names, Parts(backbone, builder, heads, settings, router))
    faithful = [name for name in names if name in FAITHFUL]
    for offset, ((name, identifier), run, target) in enumerate(
        zip(benchmarks.items(), inputs.candidates, masses_paths, strict=True)
    ):
        candidates = read_candidates_of(Path(run).parent, settings.candidates.depth)[: queries[name]]
        parts = []
        # A shard may have no query of a small benchmark; its files are then empty.
        for block in blocks_of(candidates, *shard, offset) or [[]]:
            frames, masses, routes = rerank_frozen(
                backbone, builder, methods, block, settings, tokens_per_pass
            )
            frames |= rerank_faithful(
                faithful,
                backbone,
                heads,
                block,
                settings.prompt,
                beir_name(name, identifier),
                tokens_per_pass,
            )
            parts.append((frames, masses, routes))
        qids = [qid for _, masses, _ in parts for qid in masses.ids]
        for method in names:
            frame = join_frames([frames[method] for frames, _, _ in parts], qids)
            write_run(Path(target).with_name(f"{method}.trec"), as_run(frame), method, may_be_empty=True)
            write_parquet(Path(target).with_name(f"{method}.parquet"), frame)
        routes = join_frames([routes for _, _, routes in parts], qids, every=False)
        write_parquet(Path(target).with_name("routes.parquet"), routes)
        join_features([masses for _, masses, _ in parts], qids).save(target)


if __name__ == "__main__":
    with stage(snakemake.log[0], snakemake.threads):
        main(
            snakemake.input,
            snakemake.params.benchmarks,
            snakemake.params.queries,
            snakemake.params.methods,
            snakemake.params.settings,
            snakemake.params.model,
            snakemake.resources.tokens_per_pass,
            snakemake.params.shard,
            snakemake.output.masses,
        )
