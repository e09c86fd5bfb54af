"""Train the chosen heads' attention on the preference pairs (R8 to R10): an adapter and its curve."""

from pathlib import Path

import pandas as pd

from headrank.adapter import save_adapter
from headrank.backbone import load_backbone
from headrank.collections import open_collection, read_passages
from headrank.examples import make_examples
from headrank.files import write_text
from headrank.heads import HeadSet
from headrank.lists import subset_queries
from headrank.prompt import PromptBuilder
from headrank.resume import forget
from headrank.settings import Settings
from headrank.stage import stage
from headrank.training import train


def main(inputs, given, queries, seed, model, unfinished, outputs):
    settings = Settings.from_mapping(given)
    heads = HeadSet.load(inputs.heads)
    backbone = load_backbone(inputs.backbone, heads.depth, model["dtype"], model["device"])
    texts = open_collection(
        "training", {"source": "local", "path": str(Path(inputs.queries).parent)}
    ).queries()
    examples = make_examples(
        subset_queries(pd.read_parquet(inputs.lists), queries, seed),
        pd.read_parquet(inputs.pairs),
        pd.read_parquet(inputs.base),
        texts,
        read_passages(inputs.passages),
        PromptBuilder(backbone.tokenizer, settings.prompt, encoding=settings.encoding),
    )
    trained = train(backbone, heads, examples, settings, Path(unfinished))
    save_adapter(trained.model, Path(outputs.adapter).parent, backbone, heads, given)
    write_text(outputs.curve, trained.curve.to_csv(index=False, lineterminator="\n"))
    write_text(outputs.steps, trained.steps.to_csv(index=False, lineterminator="\n"))
    forget(Path(unfinished))


if __name__ == "__main__":
    with stage(snakemake.log[0], snakemake.threads):
        main(
            snakemake.input,
            snakemake.params.settings,
            snakemake.params.queries,
            snakemake.params.seed,
            snakemake.params.model,
            snakemake.params.unfinished,
            snakemake.output,
        )
