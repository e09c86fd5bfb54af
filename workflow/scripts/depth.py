"""nDCG of frozen heads chosen among the first layers only, for every depth, from stored masses."""

import pandas as pd
from tqdm import tqdm

from headrank.data.atomic import write_parquet
from headrank.data.trec import read_qrels, read_run
from headrank.engine.features import Features
from headrank.evaluation.metrics import evaluate
from headrank.evaluation.significance import Resampling, bootstrap_interval
from headrank.heads.depth import depth_heads
from headrank.heads.head_set import HeadSet
from headrank.heads.replay import Stored
from headrank.jobs.job import stage
from headrank.settings import Settings


def main(inputs, backbone, settings, cutoff, resampling, outputs):
    settings = Settings.from_mapping(settings)
    qrels = [read_qrels(path) for path in inputs.qrels]
    each = zip(inputs.masses, inputs.rankings, strict=True)
    stored = [Stored.of(Features.load(m), pd.read_parquet(ranking), settings) for m, ranking in each]

    def values(runs):
        metric = f"ndcg@{cutoff}"
        return [
            evaluate(run, judged, [metric])["value"].to_numpy()
            for run, judged in zip(runs, qrels, strict=True)
        ]

    def mean(parts):
        return sum(part.mean() for part in parts) / len(parts)

    features = Features.load(inputs.features)
    rows, shown = [], None
    for depth, heads in tqdm(
        depth_heads(features, pd.read_parquet(inputs.lists), settings).items(), unit="depth"
    ):
        if heads.heads != shown:
            ndcg = values(benchmark.run(heads.heads) for benchmark in stored)
            shown = heads.heads
        low, high = bootstrap_interval(ndcg, Resampling(**resampling))
        rows.append((backbone, depth / features.n_layers, mean(ndcg), low, high))
    write_parquet(outputs.curve, pd.DataFrame(rows, columns=["backbone", "share", "ndcg", "low", "high"]))
    share = HeadSet.load(inputs.heads).depth / features.n_layers
    trained = mean(values(read_run(path) for path in inputs.trained))
    marks = [(backbone, "deepest", share, float("nan")), (backbone, "trained", share, trained)]
    write_parquet(outputs.marks, pd.DataFrame(marks, columns=["backbone", "kind", "share", "ndcg"]))


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.wildcards.backbone,
            snakemake.params.settings,
            snakemake.params.cutoff,
            snakemake.params.resampling,
            snakemake.output,
        )
