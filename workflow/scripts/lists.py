"""Draw training lists (R6): per query, samples of judged documents in random order, with context."""

from pathlib import Path

from headrank.data.atomic import write_parquet
from headrank.data.collections import open_collection, read_passages
from headrank.data.leakage import left_out, read_leaks
from headrank.data.training_lists import build_lists
from headrank.data.trec import read_run
from headrank.jobs.job import job
from headrank.settings import Settings


def main(inputs, settings, pool, samples, seed, output):
    training = open_collection("training", {"source": "local", "path": str(Path(inputs.queries).parent)})
    queries = training.queries()
    leaks, action = read_leaks(inputs.leakage)
    leaked = left_out(leaks, pool) if action == "leave-out" else set()
    lists = build_lists(
        queries,
        training.qrels(),
        read_run(inputs.candidates),
        read_passages(inputs.passages),
        Settings.from_mapping(settings).lists,
        samples,
        seed,
        exclude=[queries[qid] for qid in sorted(leaked)],
    )
    write_parquet(output, lists)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input,
            snakemake.params.settings,
            snakemake.params.pool,
            snakemake.params.samples,
            snakemake.params.seed,
            snakemake.output.lists,
        )
