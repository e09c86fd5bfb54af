"""Rerank with a trained adapter: one pass per query, no deeper than the deepest chosen head (R11).

One job reads the model once and serves all benchmarks.
"""

from pathlib import Path

import torch

from headrank.adapter import check_adapter
from headrank.backbone import load_backbone
from headrank.files import write_parquet
from headrank.prompt import PromptBuilder
from headrank.rerankers import as_run, read_candidates_of, rerank_together, trained
from headrank.runs import write_run
from headrank.settings import Settings
from headrank.stage import stage


def main(inputs, variant, settings, model, rankings):
    settings = Settings.from_mapping(settings)
    adapter = Path(inputs.adapter).parent
    heads = check_adapter(adapter, inputs.backbone)
    backbone = load_backbone(inputs.backbone, heads.depth, model["dtype"], model["device"], adapter=adapter)
    builder = PromptBuilder(backbone.tokenizer, settings.prompt, encoding=settings.encoding)
    method = trained(heads, settings, variant)
    for run, target in zip(inputs.candidates, rankings, strict=True):
        candidates = read_candidates_of(Path(run).parent, settings.candidates.depth)
        ranked = rerank_together(
            backbone, builder, [method], candidates, settings.candidates.order, model["tokens_per_pass"]
        )[variant]
        write_run(Path(target).with_suffix(".trec"), as_run(ranked), variant)
        write_parquet(target, ranked)


if __name__ == "__main__":
    torch.set_num_threads(snakemake.threads)
    with stage(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.wildcards.variant,
            snakemake.params.settings,
            snakemake.params.model,
            snakemake.output.rankings,
        )
