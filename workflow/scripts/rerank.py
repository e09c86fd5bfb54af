"""Rerank with trained adapters: one pass per query, no deeper than the deepest chosen head (R11).

One job serves all benchmarks, or its shard of their queries, with each of its adapters in turn.
"""

from itertools import product
from pathlib import Path

from headrank.process.large_imports import uncollected

with uncollected(for_good=True):
    from headrank.data.atomic import write_parquet
    from headrank.data.digests import file_digest
    from headrank.data.rankings import with_rest
    from headrank.data.trec import read_run, write_run
    from headrank.engine.backbone import load_backbone
    from headrank.engine.fingerprint import fingerprint
    from headrank.jobs.finished_blocks import Finished
    from headrank.jobs.job import job
    from headrank.jobs.shards import join_frames
    from headrank.process.progress import whole_job
    from headrank.prompts.builder import PromptBuilder
    from headrank.rerankers import as_run, queries_of_shard, rerank_together, shard_of_candidates, trained
    from headrank.settings import Settings
    from headrank.training.adapter import check_adapter


def main(inputs, params, tokens_per_pass, outputs):
    settings = {variant: Settings.from_mapping(given) for variant, given in params.settings.items()}
    finished = Finished(Path(params.unfinished), (params.library, params.model, tokens_per_pass))
    candidates = {Path(run).parent.name: run for run in inputs.candidates}
    benchmarks = {
        variant: [
            (name, run, queries[name], params.shard, offset)
            for offset, (name, run) in enumerate(candidates.items())
        ]
        for variant, queries in params.queries.items()
    }
    cells = list(product(candidates, settings))
    runs, rankings = (dict(zip(cells, paths, strict=True)) for paths in (outputs.runs, outputs.rankings))
    count = sum(queries_of_shard(*which) for each in benchmarks.values() for _, *which in each)
    with whole_job(count, "rerank", "query"):
        for (variant, own), weights in zip(settings.items(), inputs.adapters, strict=True):
            work = ranking(inputs, variant, weights, own, params.model, tokens_per_pass)
            key = (variant, file_digest(weights), fingerprint(inputs.backbone), own)
            for name, run, *which in benchmarks[variant]:
                blocks = shard_of_candidates(run, own.candidates.depth, *which)
                parts = [finished.run(key, block, work)[variant] for block in blocks]
                ranked = join_frames(parts, [c.qid for block in blocks for c in block])
                whole = with_rest(as_run(ranked), read_run(run))
                write_run(runs[name, variant], whole, variant, may_be_empty=True)
                write_parquet(rankings[name, variant], ranked)
    finished.forget()


def ranking(inputs, variant, weights, settings, model, tokens_per_pass):
    """A function that ranks a block of queries with one adapter."""
    adapter = Path(weights).parent
    heads = check_adapter(adapter, inputs.backbone)
    backbone = load_backbone(inputs.backbone, heads.depth, model["dtype"], model["device"], adapter=adapter)
    builder = PromptBuilder(backbone.tokenizer, settings.prompt, encoding=settings.encoding)
    method = trained(heads, settings, variant)
    order = settings.candidates.order
    return lambda block: rerank_together(backbone, builder, [method], block, order, tokens_per_pass)


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads, snakemake.input, snakemake.output):
        main(
            snakemake.input,
            snakemake.params,
            snakemake.resources.tokens_per_pass,
            snakemake.output,
        )
