"""The main metric of frozen heads chosen among the first layers only, for every depth, from stored masses."""

from tqdm import tqdm

from headrank.data.atomic import write_parquet
from headrank.data.frames import read_parquet
from headrank.data.trec import read_qrels, read_run
from headrank.engine.features import Features
from headrank.evaluation.significance import Resampling
from headrank.heads.depth import depth_curve, depth_heads, depth_marks
from headrank.heads.head_set import HeadSet
from headrank.heads.replay import StoredMasses
from headrank.jobs.job import job
from headrank.settings import Settings


def main(inputs, backbone, benchmarks, settings, metric, resampling, outputs):
    settings = Settings.from_mapping(settings)
    qrels = dict(zip(benchmarks, map(read_qrels, inputs.qrels), strict=True))
    each = zip(benchmarks, inputs.masses, inputs.rankings, strict=True)
    stored = {
        name: StoredMasses.of(Features.load(masses), read_parquet(ranking), settings)
        for name, masses, ranking in each
    }
    chosen = depth_heads(Features.load(inputs.features), read_parquet(inputs.lists), settings)
    depths = tqdm(chosen.items(), unit="depth")
    curve = depth_curve(depths, stored, qrels, backbone, metric, Resampling(**resampling))
    write_parquet(outputs.curve, curve)
    trained = zip(benchmarks, map(read_run, inputs.trained), strict=True)
    marks = depth_marks(HeadSet.load(inputs.heads), trained, qrels, backbone, metric)
    write_parquet(outputs.marks, marks)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input,
            snakemake.wildcards.backbone,
            snakemake.params.benchmarks,
            snakemake.params.settings,
            snakemake.params.metric,
            snakemake.params.resampling,
            snakemake.output,
        )
