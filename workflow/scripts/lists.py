"""Draw training lists (R6): per query, samples of judged documents in random order, with context."""

from pathlib import Path

from headrank.data.atomic import write_parquet
from headrank.data.collections import open_collection, read_passages
from headrank.data.training_lists import build_lists
from headrank.data.trec import read_run
from headrank.jobs.job import job
from headrank.settings import Settings


def main(inputs, settings, samples, seed, output):
    training = open_collection("training", {"source": "local", "path": str(Path(inputs.queries).parent)})
    tests = [open_collection("test", {"source": "local", "path": str(Path(p).parent)}) for p in inputs.tests]
    lists = build_lists(
        training.queries(),
        training.qrels(),
        read_run(inputs.candidates),
        read_passages(inputs.passages),
        Settings.from_mapping(settings).lists,
        samples,
        seed,
        exclude=[text for test in tests for text in test.queries().values()],
    )
    write_parquet(output, lists)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.params.settings,
            snakemake.params.samples,
            snakemake.params.seed,
            snakemake.output.lists,
        )
