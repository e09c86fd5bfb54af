"""Rerank with a trained adapter: one pass per query, no deeper than the deepest chosen head (R11)."""

from pathlib import Path

import torch

from headrank.adapter import check_adapter
from headrank.backbone import load_backbone
from headrank.collections import open_collection, read_passages
from headrank.files import write_parquet
from headrank.prompt import PromptBuilder
from headrank.rerankers import as_run, gather_candidates, headrank, rerank_together
from headrank.runs import read_run, write_run
from headrank.settings import Settings
from headrank.stage import stage


def main(inputs, name, settings, model, outputs):
    settings = Settings.from_mapping(settings)
    adapter = Path(inputs.adapter).parent
    heads = check_adapter(adapter, inputs.backbone)
    backbone = load_backbone(inputs.backbone, heads.depth, model["dtype"], model["device"], adapter=adapter)
    benchmark = open_collection("test", {"source": "local", "path": str(Path(inputs.queries).parent)})
    candidates = gather_candidates(
        benchmark.queries(),
        read_run(inputs.candidates),
        read_passages(inputs.passages),
        settings.candidates.depth,
    )
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    method = headrank(heads, settings, name)
    frames = rerank_together(
        backbone, builder, [method], candidates, settings.candidates.order, model["tokens_per_pass"]
    )
    write_run(outputs.run, as_run(frames[name]), name)
    write_parquet(outputs.ranking, frames[name])


if __name__ == "__main__":
    torch.set_num_threads(snakemake.threads)
    with stage(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.wildcards.variant,
            snakemake.params.settings,
            snakemake.params.model,
            snakemake.output,
        )
