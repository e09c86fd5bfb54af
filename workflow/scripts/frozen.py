"""Rerank with every method that leaves the backbone as it is: they share one forward pass per query."""

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


def main(inputs, settings, model, names, outputs):
    settings = Settings.from_mapping(settings)
    backbone = load_backbone(inputs.backbone, dtype=model["dtype"], device=model["device"])
    benchmark = open_collection("test", {"source": "local", "path": str(Path(inputs.queries).parent)})
    candidates = gather_candidates(
        benchmark.queries(),
        read_run(inputs.candidates),
        read_passages(inputs.passages),
        settings.candidates.depth,
    )
    methods = [
        icr(backbone),
        qrhead(HeadSet.load(inputs.qrhead)),
        core(HeadSet.load(inputs.core)),
        headrank(HeadSet.load(inputs.headrank), settings, "headrank-untrained"),
    ]
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    frames, masses = rerank_frozen(backbone, builder, methods, candidates, settings, model["tokens_per_pass"])
    for name, run, ranking in zip(names, outputs.runs, outputs.rankings, strict=True):
        write_run(run, as_run(frames[name]), name)
        write_parquet(ranking, frames[name])
    masses.save(outputs.masses)


if __name__ == "__main__":
    torch.set_num_threads(snakemake.threads)
    with stage(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.params.settings,
            snakemake.params.model,
            snakemake.params.methods,
            snakemake.output,
        )
