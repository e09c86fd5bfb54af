"""Rerank with every method that leaves the backbone as it is: they share one forward pass per query.

One job reads the model once and serves all benchmarks.
"""

from pathlib import Path

import torch

from headrank.backbone import load_backbone
from headrank.collections import open_collection, read_passages
from headrank.files import write_parquet
from headrank.heads import HeadSet
from headrank.prompt import PromptBuilder
from headrank.rerankers import as_run, core, gather_candidates, headrank, icr, qrhead
from headrank.rerankers.frozen import rerank_frozen
from headrank.runs import read_run, write_run
from headrank.settings import Settings
from headrank.stage import stage


def main(inputs, benchmarks, settings, model, masses_paths):
    settings = Settings.from_mapping(settings)
    backbone = load_backbone(inputs.backbone, dtype=model["dtype"], device=model["device"])
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    methods = [
        icr(backbone),
        qrhead(HeadSet.load(inputs.qrhead)),
        core(HeadSet.load(inputs.core)),
        headrank(HeadSet.load(inputs.headrank), settings, "headrank-untrained"),
    ]
    files = zip(benchmarks, inputs.queries, inputs.candidates, inputs.passages, masses_paths, strict=True)
    for name, queries, run, passages, target in files:
        collection = open_collection(name, {"source": "local", "path": str(Path(queries).parent)})
        candidates = gather_candidates(
            collection.queries(), read_run(run), read_passages(passages), settings.candidates.depth
        )
        frames, masses = rerank_frozen(
            backbone, builder, methods, candidates, settings, model["tokens_per_pass"]
        )
        for method, frame in frames.items():
            write_run(Path(target).with_name(f"{method}.trec"), as_run(frame), method)
            write_parquet(Path(target).with_name(f"{method}.parquet"), frame)
        masses.save(target)


if __name__ == "__main__":
    torch.set_num_threads(snakemake.threads)
    with stage(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.params.benchmarks,
            snakemake.params.settings,
            snakemake.params.model,
            snakemake.output.masses,
        )
