"""Rerank with the generative references; every answer of the model is kept beside the run.

One job reads the model once and serves all methods and benchmarks, or its shard of their queries.
"""

from functools import partial
from itertools import product
from pathlib import Path

from headrank.process.large_imports import uncollected

with uncollected(for_good=True):
    from headrank.data.atomic import write_parquet
    from headrank.data.rankings import with_rest
    from headrank.data.trec import read_run, write_run
    from headrank.engine.backbone import load_backbone
    from headrank.engine.fingerprint import fingerprint
    from headrank.generative.calls import write_calls
    from headrank.generative.settings import GenerativeSettings
    from headrank.jobs.finished_blocks import Finished
    from headrank.jobs.job import job
    from headrank.jobs.shards import join_frames
    from headrank.methods.ask import rerank_asked
    from headrank.process.progress import whole_job
    from headrank.rerankers import as_run, queries_of_shard, shard_of_candidates
    from headrank.specs import read_spec


def main(inputs, params, outputs):
    settings = read_spec(GenerativeSettings, params.settings, "generative")
    backbone = load_backbone(inputs.backbone, dtype=params.model["dtype"], device=params.model["device"])
    candidates = {Path(run).parent.name: run for run in inputs.candidates}
    benchmarks = [
        (name, run, params.queries[name], params.shard, offset)
        for offset, (name, run) in enumerate(candidates.items())
    ]
    cells = list(product(candidates, params.methods))
    runs, rankings, answers = (
        dict(zip(cells, paths, strict=True)) for paths in (outputs.runs, outputs.rankings, outputs.calls)
    )
    owner = (params.library, fingerprint(inputs.backbone), params.settings, params.model)
    finished = Finished(Path(params.unfinished), owner)

    def rank(block, method):
        ranking, calls = rerank_asked(method, backbone, block, settings)
        return {"ranking": ranking, "calls": calls}

    count = sum(queries_of_shard(*which) for _, *which in benchmarks)
    with whole_job(count * len(params.methods), "generate", "query"):
        for name, run, *which in benchmarks:
            blocks = shard_of_candidates(run, params.depth, *which)
            qids = [c.qid for block in blocks for c in block]
            given = read_run(run)
            for method in params.methods:
                parts = [finished.run(method, block, partial(rank, method=method)) for block in blocks]
                ranked = join_frames([part["ranking"] for part in parts], qids)
                write_run(runs[name, method], with_rest(as_run(ranked), given), method, may_be_empty=True)
                write_parquet(rankings[name, method], ranked)
                calls = join_frames([part["calls"] for part in parts], qids, every=False)
                write_calls(answers[name, method], calls)
    finished.forget()


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads, snakemake.input, snakemake.output):
        main(snakemake.input, snakemake.params, snakemake.output)
