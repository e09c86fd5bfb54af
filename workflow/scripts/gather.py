"""Put the parts that shards have written together: the same files, whole."""

from pathlib import Path

from headrank.process.large_imports import uncollected

with uncollected(for_good=True):
    import pandas as pd

    from headrank.data.atomic import write_parquet
    from headrank.data.trec import read_run, write_run
    from headrank.engine.features import Features
    from headrank.generative.calls import read_calls, write_calls
    from headrank.jobs.job import stage
    from headrank.jobs.shards import join_features, join_frames
    from headrank.rerankers import as_run


def main(parts, orders, queries, outputs):
    """``parts``: the folders of the shards; ``orders``: runs whose queries give each benchmark's order.

    ``queries``: how many of each benchmark's queries there are, None for all.
    """
    qids = {
        Path(path).parent.name: list(read_run(path))[: queries[Path(path).parent.name]] for path in orders
    }
    for output in map(Path, outputs):
        # BACKBONE/BENCHMARK/FILE, below the folder of all runs and below that of each shard.
        pieces = [Path(part, *output.parts[-3:]) for part in parts]
        known = qids[output.parent.name]
        if output.name.endswith(".calls.jsonl.gz"):
            write_calls(output, join_frames([read_calls(piece) for piece in pieces], known, every=False))
        elif output.suffix == ".safetensors":
            join_features([Features.load(piece) for piece in pieces], known).save(output)
        elif output.name == "routes.parquet":
            frames = [pd.read_parquet(piece) for piece in pieces]
            write_parquet(output, join_frames(frames, known, every=False))
        elif output.suffix == ".parquet":
            frame = join_frames([pd.read_parquet(piece) for piece in pieces], known)
            write_parquet(output, frame)
            write_run(output.with_suffix(".trec"), as_run(frame), output.stem, may_be_empty=True)


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.params.parts,
            snakemake.input.candidates,
            snakemake.params.queries,
            snakemake.output,
        )
