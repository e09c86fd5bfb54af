"""Time each method alone on a few queries: first those on the frozen backbone, in turn, then each adapter."""

from pathlib import Path

from headrank.process.large_imports import uncollected

with uncollected(for_good=True):
    import pandas as pd

    from headrank.bench.alone import attention_ways, generative_ways, time_alone
    from headrank.data.atomic import write_parquet
    from headrank.engine.backbone import load_backbone
    from headrank.generative.settings import GenerativeSettings
    from headrank.heads.head_set import HeadSet
    from headrank.heads.routing.router import Router
    from headrank.jobs.job import job
    from headrank.methods.build import build
    from headrank.prompts.builder import PromptBuilder
    from headrank.rerankers import read_candidates_of, trained
    from headrank.rerankers.parts import Parts
    from headrank.settings import Settings
    from headrank.specs import read_spec
    from headrank.training.adapter import check_adapter


def main(inputs, name, frozen, generative, given, settings, queries, model, output):
    settings = Settings.from_mapping(settings)
    candidates = read_candidates_of(Path(inputs.candidates).parent, settings.candidates.depth)[:queries]
    parts = [on_backbone(inputs, frozen, generative, settings, candidates, model)]
    for variant, path in zip(given, inputs.adapters, strict=True):
        parts.append(on_adapter(inputs, variant, Path(path).parent, given[variant], candidates, model))
    write_parquet(output, pd.concat(parts, ignore_index=True).assign(backbone=name))


def on_backbone(inputs, frozen, generative, settings, candidates, model):
    backbone = load_backbone(inputs.backbone, dtype=model["dtype"], device=model["device"])
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    heads = {Path(path).stem: HeadSet.load(path) for path in inputs.heads}
    router = Router.load(inputs.router) if inputs.router else None
    methods = build(frozen, Parts(backbone, builder, heads, settings, router))
    ways = attention_ways(backbone, builder, methods, settings.candidates.order)
    asked = read_spec(GenerativeSettings, generative["settings"], "generative")
    return time_alone(ways | generative_ways(backbone, generative["methods"], asked), candidates)


def on_adapter(inputs, variant, adapter, given, candidates, model):
    settings = Settings.from_mapping(given)
    heads = check_adapter(adapter, inputs.backbone)
    backbone = load_backbone(inputs.backbone, heads.depth, model["dtype"], model["device"], adapter=adapter)
    builder = PromptBuilder(backbone.tokenizer, settings.prompt, encoding=settings.encoding)
    method = trained(heads, settings, variant)
    return time_alone(attention_ways(backbone, builder, [method], settings.candidates.order), candidates)


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads, snakemake.input, snakemake.output):
        main(
            snakemake.input,
            snakemake.wildcards.backbone,
            snakemake.params.frozen,
            snakemake.params.generative,
            snakemake.params.trained,
            snakemake.params.settings,
            snakemake.params.queries,
            snakemake.params.model,
            snakemake.output.seconds,
        )
