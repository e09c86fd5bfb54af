"""Rerank with trained adapters: one pass per query, no deeper than the deepest chosen head (R11).

One job serves all benchmarks, or its shard of their queries, with each of its adapters in turn.
"""

from pathlib import Path

from headrank.imports import uncollected

with uncollected(for_good=True):
    from headrank.adapter import check_adapter
    from headrank.backbone import load_backbone
    from headrank.files import write_parquet
    from headrank.prompt import PromptBuilder
    from headrank.rerankers import as_run, read_candidates_of, rerank_together, trained
    from headrank.runs import write_run
    from headrank.settings import Settings
    from headrank.shards import blocks_of, join_frames
    from headrank.stage import stage


def main(inputs, given, queries, model, tokens_per_pass, shard, rankings):
    benchmarks = len(inputs.candidates)
    for place, variant in enumerate(given):
        settings = Settings.from_mapping(given[variant])
        targets = rankings[place * benchmarks : (place + 1) * benchmarks]
        rank(
            inputs, variant, inputs.adapters[place], settings, queries, model, tokens_per_pass, shard, targets
        )


def rank(inputs, variant, weights, settings, queries, model, tokens_per_pass, shard, rankings):
    adapter = Path(weights).parent
    heads = check_adapter(adapter, inputs.backbone)
    backbone = load_backbone(inputs.backbone, heads.depth, model["dtype"], model["device"], adapter=adapter)
    builder = PromptBuilder(backbone.tokenizer, settings.prompt, encoding=settings.encoding)
    method = trained(heads, settings, variant)
    order = settings.candidates.order
    for offset, (run, target) in enumerate(zip(inputs.candidates, rankings, strict=True)):
        folder = Path(run).parent
        candidates = read_candidates_of(folder, settings.candidates.depth)[: queries[folder.name]]
        # A shard may have no query of a small benchmark; its files are then empty.
        blocks = blocks_of(candidates, *shard, offset) or [[]]
        parts = [
            rerank_together(backbone, builder, [method], block, order, tokens_per_pass)[variant]
            for block in blocks
        ]
        ranked = join_frames(parts, [c.qid for block in blocks for c in block])
        write_run(Path(target).with_suffix(".trec"), as_run(ranked), variant, may_be_empty=True)
        write_parquet(target, ranked)


if __name__ == "__main__":
    with stage(snakemake.log[0], snakemake.threads):
        main(
            snakemake.input,
            snakemake.params.settings,
            snakemake.params.queries,
            snakemake.params.model,
            snakemake.resources.tokens_per_pass,
            snakemake.params.shard,
            snakemake.output.rankings,
        )
