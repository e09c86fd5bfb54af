"""Rerank with the generative references; every answer of the model is kept beside the run.

One job reads the model once and serves all methods and benchmarks, or its shard of their queries.
"""

from pathlib import Path

from headrank.imports import uncollected

with uncollected(for_good=True):
    from headrank.backbone import load_backbone
    from headrank.files import write_parquet
    from headrank.generative.calls import write_calls
    from headrank.generative.rerank import rerank_generative
    from headrank.generative.settings import GenerativeSettings
    from headrank.rerankers import as_run, read_candidates_of
    from headrank.runs import write_run
    from headrank.shards import blocks_of, join_frames
    from headrank.specs import read_spec
    from headrank.stage import stage


def main(inputs, names, queries, given, depth, model, shard, rankings):
    settings = read_spec(GenerativeSettings, given, "generative")
    backbone = load_backbone(inputs.backbone, dtype=model["dtype"], device=model["device"])
    places = {Path(path).parent.name: Path(path).parent for path in rankings}
    for offset, run in enumerate(inputs.candidates):
        folder = Path(run).parent
        candidates = read_candidates_of(folder, depth)[: queries[folder.name]]
        # A shard may have no query of a small benchmark; its files are then empty.
        blocks = blocks_of(candidates, *shard, offset) or [[]]
        qids = [c.qid for block in blocks for c in block]
        place = places[folder.name]
        for name in names:
            parts = [rerank_generative(name, backbone, block, settings) for block in blocks]
            ranked = join_frames([frame for frame, _ in parts], qids)
            write_run(place / f"{name}.trec", as_run(ranked), name, may_be_empty=True)
            write_parquet(place / f"{name}.parquet", ranked)
            write_calls(
                place / f"{name}.calls.jsonl.gz",
                join_frames([calls for _, calls in parts], qids, every=False),
            )


if __name__ == "__main__":
    with stage(snakemake.log[0], snakemake.threads):
        main(
            snakemake.input,
            snakemake.params.methods,
            snakemake.params.queries,
            snakemake.params.settings,
            snakemake.params.depth,
            snakemake.params.model,
            snakemake.params.shard,
            snakemake.output.rankings,
        )
