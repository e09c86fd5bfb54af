"""Attack the lists of a few queries by the text of one irrelevant passage, and note where each method ranks it.

First the methods on the frozen backbone and the generative ones, then each adapter. No choice depends on the result.
"""

from functools import partial
from pathlib import Path

from headrank.process.large_imports import uncollected

with uncollected(for_good=True):
    import pandas as pd

    from headrank.data.atomic import write_parquet
    from headrank.data.digests import file_digest
    from headrank.data.trec import read_qrels
    from headrank.engine.backbone import load_backbone
    from headrank.engine.fingerprint import fingerprint
    from headrank.evaluation.injection import COLUMNS
    from headrank.generative.settings import GenerativeSettings
    from headrank.heads.head_set import HeadSet
    from headrank.heads.routing.router import Router
    from headrank.jobs.finished_blocks import Finished
    from headrank.jobs.job import job
    from headrank.methods.ask import rerank_asked
    from headrank.methods.build import build, released, rerank_released
    from headrank.process.progress import whole_job
    from headrank.prompts.builder import FAMILIES, PromptBuilder
    from headrank.prompts.templates import beir_name
    from headrank.prompts.text_encoder import TextEncoder
    from headrank.rerankers import read_candidates_of, rerank_together, trained
    from headrank.rerankers.attacks import attacked_lists
    from headrank.rerankers.parts import Parts
    from headrank.settings import Settings
    from headrank.specs import read_spec
    from headrank.training.adapter import check_adapter


def main(inputs, name, params, tokens_per_pass, output):
    settings = Settings.from_mapping(params.settings)
    backbone = load_backbone(inputs.backbone, dtype=params.model["dtype"], device=params.model["device"])
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    candidates = read_candidates_of(Path(inputs.candidates).parent, settings.candidates.depth)
    lists, passages = attacked_lists(
        candidates[: params.queries],
        read_qrels(inputs.qrels),
        builder.template,
        FAMILIES[settings.prompt.family],
        list(TextEncoder(backbone.tokenizer).control.values()),
    )
    finished = Finished(Path(params.unfinished), owner_of(inputs, params, tokens_per_pass))
    note = partial(attacked_ranks, finished, lists, passages)
    faithful = len(released(params.frozen))
    # The fair methods share one pass, each of the others has its own.
    kinds = (
        faithful + (len(params.frozen) > faithful) + len(params.generative["methods"]) + len(params.trained)
    )
    with whole_job(kinds * sum(map(len, lists.values())), "inject", "list"):
        parts = on_backbone(inputs, params, tokens_per_pass, settings, backbone, builder, note)
        # Each adapter is read onto a backbone of its own.
        del backbone
        for (variant, given), weights in zip(params.trained.items(), inputs.adapters, strict=True):
            own, adapter = Settings.from_mapping(given), Path(weights).parent
            parts.append(
                note(variant, by_adapter(inputs, adapter, variant, own, params.model, tokens_per_pass))
            )
    write_parquet(output, pd.concat(parts, ignore_index=True).assign(backbone=name))
    finished.forget()


def attacked_ranks(finished, lists, passages, kind, rank):
    """Rows of ``COLUMNS``: where the methods of one kind rank the attacked passages."""
    parts = []
    for attack, versions in lists.items():
        for method, frame in finished.run((kind, attack), versions, rank).items():
            own = frame[frame["docid"] == frame["qid"].map(passages)]
            counts = frame.groupby("qid")["docid"].size()
            own = own.assign(method=method, attack=attack, passages=own["qid"].map(counts))
            parts.append(own[COLUMNS])
    return pd.concat(parts, ignore_index=True)


def on_backbone(inputs, params, tokens_per_pass, settings, backbone, builder, note):
    """Ranks by the methods on the frozen backbone, and by those that ask it."""
    heads = {Path(path).stem: HeadSet.load(path) for path in inputs.heads}
    router = Router.load(inputs.router) if inputs.router else None
    whole = Parts(backbone, builder, heads, settings, router)
    methods, faithful = build(params.frozen, whole), released(params.frozen)
    order, benchmark = settings.candidates.order, beir_name(*params.benchmark)

    def frozen(lists):
        ranked = {}
        if methods:
            ranked |= rerank_together(backbone, builder, methods, lists, order, tokens_per_pass)
        return ranked | rerank_released(faithful, whole, lists, benchmark, tokens_per_pass)

    asked = read_spec(GenerativeSettings, params.generative["settings"], "generative")

    def generative(lists, method):
        return {method: rerank_asked(method, backbone, lists, asked)[0]}

    parts = [note("frozen", frozen)] if params.frozen else []
    return parts + [note(name, partial(generative, method=name)) for name in params.generative["methods"]]


def by_adapter(inputs, adapter, variant, settings, model, tokens_per_pass):
    """A function that ranks lists with one adapter."""
    heads = check_adapter(adapter, inputs.backbone)
    backbone = load_backbone(inputs.backbone, heads.depth, model["dtype"], model["device"], adapter=adapter)
    builder = PromptBuilder(backbone.tokenizer, settings.prompt, encoding=settings.encoding)
    method = trained(heads, settings, variant)
    order = settings.candidates.order
    return lambda lists: rerank_together(backbone, builder, [method], lists, order, tokens_per_pass)


def owner_of(inputs, params, tokens_per_pass):
    """All that a ranking depends on, besides its list."""
    read = [file_digest(path) for path in (*inputs.heads, *inputs.adapters)]
    router = file_digest(inputs.router) if inputs.router else None
    given = (params.library, params.settings, params.trained, params.generative, params.frozen, params.model)
    return (*given, params.benchmark, tokens_per_pass, fingerprint(inputs.backbone), read, router)


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads, snakemake.input, snakemake.output):
        main(
            snakemake.input,
            snakemake.wildcards.backbone,
            snakemake.params,
            snakemake.resources.tokens_per_pass,
            snakemake.output.ranks,
        )
