"""Train the chosen heads' attention on the preference pairs (R8 to R10): adapters and their curves."""

import logging
from pathlib import Path

from headrank.data.frames import read_parquet
from headrank.process.large_imports import uncollected

with uncollected(for_good=True):
    from headrank.data.atomic import write_text
    from headrank.data.collections import open_collection, read_passages
    from headrank.data.training_lists import subset_queries
    from headrank.engine.backbone import load_backbone
    from headrank.heads.head_set import HeadSet
    from headrank.jobs.job import job
    from headrank.prompts.builder import PromptBuilder
    from headrank.settings import Settings
    from headrank.training.adapter import save_adapter
    from headrank.training.checkpoint import forget
    from headrank.training.examples import make_examples
    from headrank.training.loop import train

logger = logging.getLogger(__name__)


def main(inputs, given, queries, seed, model, unfinished, outputs):
    texts = open_collection(
        "training", {"source": "local", "path": str(Path(inputs.queries).parent)}
    ).queries()
    passages, lists = read_passages(inputs.passages), read_parquet(inputs.lists)
    files = zip(
        *(given, inputs.heads, inputs.pairs, inputs.base, outputs.adapters, outputs.curves, outputs.steps),
        strict=True,
    )
    for number, (variant, chosen, pairs, base, weights, curve, steps) in enumerate(files, start=1):
        settings = Settings.from_mapping(given[variant])
        heads = HeadSet.load(chosen)
        backbone = load_backbone(inputs.backbone, heads.depth, model["dtype"], model["device"])
        examples = make_examples(
            subset_queries(lists, queries[variant], seed),
            read_parquet(pairs),
            read_parquet(base),
            texts,
            passages,
            PromptBuilder(backbone.tokenizer, settings.prompt, encoding=settings.encoding),
        )
        logger.info("%s, adapter %d of %d", variant, number, len(given))
        trained = train(backbone, heads, examples, settings, Path(unfinished[variant]))
        save_adapter(trained.model, Path(weights).parent, backbone, heads, given[variant], variant)
        write_text(curve, trained.curve.to_csv(index=False, lineterminator="\n"))
        write_text(steps, trained.steps.to_csv(index=False, lineterminator="\n"))
    # Not before all are done: if a job fails, Snakemake removes all its outputs, even those of finished adapters.
    for folder in unfinished.values():
        forget(Path(folder))


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads, snakemake.input, snakemake.output):
        main(
            snakemake.input,
            snakemake.params.settings,
            snakemake.params.queries,
            snakemake.params.seed,
            snakemake.params.model,
            snakemake.params.unfinished,
            snakemake.output,
        )
