"""Controls of head choice, from stored masses: every layer alone, random heads, and the chosen heads for comparison."""

from pathlib import Path

from tqdm import tqdm

from headrank.data.atomic import write_parquet
from headrank.data.frames import read_parquet
from headrank.data.trec import read_qrels, read_run
from headrank.engine.features import Features
from headrank.heads.controls import Benchmark, head_controls
from headrank.heads.head_set import HeadSet
from headrank.heads.replay import StoredMasses
from headrank.jobs.job import job
from headrank.settings import Settings


def main(inputs, backbone, params, outputs):
    settings = Settings.from_mapping(params.settings)
    each = zip(params.benchmarks, inputs.masses, inputs.rankings, inputs.qrels, strict=True)
    benchmarks = (
        Benchmark(
            name,
            StoredMasses.of(Features.load(masses), read_parquet(ranking), settings),
            read_qrels(qrels),
            {Path(p).stem: read_run(p) for p in inputs.references if Path(p).parent.name == name},
        )
        for name, masses, ranking, qrels in tqdm(each, total=len(params.benchmarks), unit="benchmark")
    )
    heads = HeadSet.load(inputs.heads)
    found = head_controls(benchmarks, heads, backbone, params.metric, params.draws, params.seed)
    write_parquet(outputs.layers, found.layers)
    write_parquet(outputs.draws, found.draws)
    write_parquet(outputs.references, found.references)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(snakemake.input, snakemake.wildcards.backbone, snakemake.params, snakemake.output)
