"""Join the parts that shards have written into whole files."""

from collections import defaultdict
from pathlib import Path

from headrank.data.frames import read_parquet
from headrank.process.large_imports import uncollected

with uncollected(for_good=True):
    from headrank.data.atomic import write_parquet
    from headrank.data.rankings import with_rest
    from headrank.data.trec import read_run, write_run
    from headrank.engine.features import Features
    from headrank.generative.calls import read_calls, write_calls
    from headrank.jobs.job import job
    from headrank.jobs.shards import join_features, join_frames
    from headrank.rerankers import as_run


def main(inputs, queries, outputs):
    """``queries``: how many of each benchmark's queries there are, None for all."""
    candidates = {Path(path).parent.name: read_run(path) for path in inputs.candidates}
    qids = {name: list(run)[: queries[name]] for name, run in candidates.items()}
    pieces = defaultdict(list)
    for part in inputs.parts:
        pieces[ending(part)].append(part)

    def whole(output, read, join=join_frames, **options):
        """The parts of a file, read and joined in the order of the benchmark's queries."""
        known = qids[Path(output).parent.name]
        return join([read(piece) for piece in pieces[ending(output)]], known, **options)

    for run, ranking in zip(outputs.runs, outputs.rankings, strict=True):
        frame = whole(ranking, read_parquet)
        write_parquet(ranking, frame)
        reranked = with_rest(as_run(frame), candidates[Path(run).parent.name])
        write_run(run, reranked, Path(run).stem, may_be_empty=True)
    for masses in outputs.get("masses", []):
        whole(masses, Features.load, join_features).save(masses)
    for routes in outputs.get("routes", []):
        write_parquet(routes, whole(routes, read_parquet, every=False))
    for calls in outputs.get("calls", []):
        write_calls(calls, whole(calls, read_calls, every=False))


def ending(path):
    """BACKBONE/BENCHMARK/FILE, which follows the folder of all runs and the folder of each shard."""
    return Path(path).parts[-3:]


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(snakemake.input, snakemake.params.queries, snakemake.output)
