"""Controls of head choice, from stored masses: every layer alone, random heads, and the chosen ones beside them."""

from pathlib import Path

import pandas as pd
from tqdm import tqdm

from headrank.data.atomic import write_parquet
from headrank.data.trec import read_qrels, read_run
from headrank.engine.features import Features
from headrank.evaluation.metrics import evaluate
from headrank.heads.head_set import HeadSet
from headrank.heads.replay import Stored, layer_heads, random_heads
from headrank.jobs.job import stage
from headrank.settings import Settings


def main(inputs, backbone, benchmarks, settings, cutoff, draws, seed, outputs):
    settings = Settings.from_mapping(settings)
    heads = HeadSet.load(inputs.heads)
    layers, drawn, references = [], [], []

    def ndcg(run, judged):
        return float(evaluate(run, judged, [f"ndcg@{cutoff}"])["value"].mean())

    each = zip(benchmarks, inputs.masses, inputs.rankings, inputs.qrels, strict=True)
    for benchmark, masses, ranking, qrels in tqdm(each, total=len(benchmarks), unit="benchmark"):
        stored = Stored.of(Features.load(masses), pd.read_parquet(ranking), settings)
        judged = read_qrels(qrels)
        for layer, chosen in enumerate(layer_heads(heads.n_layers, heads.n_heads)):
            layers.append((backbone, benchmark, layer, ndcg(stored.run(chosen), judged)))
        for draw, chosen in enumerate(random_heads(heads, draws, seed)):
            drawn.append((backbone, benchmark, draw, ndcg(stored.run(chosen), judged)))
        for path in inputs.references:
            if Path(path).parent.name == benchmark:
                references.append((backbone, benchmark, Path(path).stem, ndcg(read_run(path), judged)))
    for name, rows, column in (
        ("layers", layers, "layer"),
        ("draws", drawn, "draw"),
        ("references", references, "method"),
    ):
        columns = ["backbone", "benchmark", column, "value"]
        write_parquet(outputs[name], pd.DataFrame(rows, columns=columns))


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.wildcards.backbone,
            snakemake.params.benchmarks,
            snakemake.params.settings,
            snakemake.params.cutoff,
            snakemake.params.draws,
            snakemake.params.seed,
            snakemake.output,
        )
