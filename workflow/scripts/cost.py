"""Count how much of its backbone each method runs: layers, heads, tokens and multiply-adds per query."""

from pathlib import Path

from headrank.cost.multiply_adds import Shape
from headrank.cost.per_method import cost_per_method
from headrank.data.atomic import write_parquet
from headrank.data.frames import read_parquet
from headrank.data.json_files import read_object
from headrank.errors import InputError
from headrank.generative.calls import read_calls
from headrank.heads.head_set import HeadSet
from headrank.jobs.job import job


def main(inputs, cells, head_cells, independent, output):
    rankings = (
        ((backbone, method), read_parquet(path, columns=["qid", "tokens", "rows"]))
        for path, (backbone, _, method) in zip(inputs.rankings, cells, strict=True)
    )
    # Their files are BACKBONE/BENCHMARK/METHOD.calls.jsonl.gz.
    calls = (((Path(p).parts[-3], Path(p).name.split(".")[0]), read_calls(p)) for p in inputs.calls)
    shapes = {Path(p).name: shape_of(Path(p, "config.json")) for p in inputs.backbones}
    sets = {tuple(cell): HeadSet.load(path) for path, cell in zip(inputs.heads, head_cells, strict=True)}
    sizes = {cell: (heads.depth, len(heads.heads)) for cell, heads in sets.items()}
    write_parquet(output, cost_per_method(rankings, calls, shapes, sizes, independent))


def shape_of(path):
    try:
        return Shape.of(read_object(path, "model configuration"))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input,
            snakemake.params.cells,
            snakemake.params.heads,
            snakemake.params.independent,
            snakemake.output.cost,
        )
