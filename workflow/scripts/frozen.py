"""Rerank with every method that leaves the backbone as it is: the fair ones share one forward pass per query.

One job reads the model once and serves all benchmarks, or its shard of their queries.
"""

from functools import partial
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
    from headrank.heads.head_set import HeadSet
    from headrank.heads.routing.router import Router
    from headrank.jobs.finished_blocks import Finished
    from headrank.jobs.job import job
    from headrank.jobs.shards import join_features, join_frames
    from headrank.methods.build import build, released, rerank_released
    from headrank.process.progress import whole_job
    from headrank.prompts.builder import PromptBuilder
    from headrank.prompts.templates import beir_name
    from headrank.rerankers import as_run, queries_of_shard, shard_of_candidates
    from headrank.rerankers.frozen import rerank_frozen
    from headrank.rerankers.parts import Parts
    from headrank.settings import Settings


def main(inputs, params, tokens_per_pass, outputs):
    settings = Settings.from_mapping(params.settings)
    backbone = load_backbone(inputs.backbone, dtype=params.model["dtype"], device=params.model["device"])
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    heads = {Path(path).stem: HeadSet.load(path) for path in inputs.heads}
    router = Router.load(inputs.router) if inputs.router else None
    parts_of_methods = Parts(backbone, builder, heads, settings, router)
    methods, faithful = build(params.methods, parts_of_methods), released(params.methods)
    # Name, candidates, how many queries are ranked, shard, offset: the first block goes to another shard each time.
    benchmarks = [
        (name, run, params.queries[name], params.shard, offset)
        for offset, (name, run) in enumerate(zip(params.benchmarks, inputs.candidates, strict=True))
    ]
    cells = list(product(params.benchmarks, params.methods))
    runs, rankings = (dict(zip(cells, paths, strict=True)) for paths in (outputs.runs, outputs.rankings))
    finished = Finished(Path(params.unfinished), owner_of(inputs, params, tokens_per_pass, heads))

    def rank(block, name):
        frames, masses, routes = rerank_frozen(backbone, builder, methods, block, settings, tokens_per_pass)
        benchmark = beir_name(name, params.benchmarks[name])
        frames |= rerank_released(faithful, parts_of_methods, block, benchmark, tokens_per_pass)
        return {**frames, "masses": masses, "routes": routes}

    count = sum(queries_of_shard(*which) for _, *which in benchmarks)
    # The fair methods share one pass, each of the others has its own.
    with whole_job(count * (1 + len(faithful)), "frozen", "pass"):
        whole = zip(benchmarks, outputs.masses, outputs.routes, strict=True)
        for (name, run, *which), masses_path, routes_path in whole:
            blocks = shard_of_candidates(run, settings.candidates.depth, *which)
            parts = [finished.run(name, block, partial(rank, name=name)) for block in blocks]
            qids = [qid for part in parts for qid in part["masses"].ids]
            given = read_run(run)
            for method in params.methods:
                frame = join_frames([part[method] for part in parts], qids)
                write_run(runs[name, method], with_rest(as_run(frame), given), method, may_be_empty=True)
                write_parquet(rankings[name, method], frame)
            write_parquet(routes_path, join_frames([part["routes"] for part in parts], qids, every=False))
            join_features([part["masses"] for part in parts], qids).save(masses_path)
    finished.forget()


def owner_of(inputs, params, tokens_per_pass, heads):
    """All that a block's results depend on, besides the block itself."""
    router = file_digest(inputs.router) if inputs.router else None
    given = (params.library, params.settings, params.model, params.methods, params.benchmarks)
    return (*given, fingerprint(inputs.backbone), tokens_per_pass, heads, router)


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads, snakemake.input, snakemake.output):
        main(
            snakemake.input,
            snakemake.params,
            snakemake.resources.tokens_per_pass,
            snakemake.output,
        )
