"""Count what each method runs of its backbone: layers, heads, tokens and multiply-adds per query."""

import json
from pathlib import Path

import pandas as pd

from headrank.cost.multiply_adds import Shape, full_operations, truncated_operations
from headrank.data.atomic import write_parquet
from headrank.generative.calls import read_calls
from headrank.heads.head_set import HeadSet
from headrank.jobs.job import stage


def main(rankings, cells, calls, backbones, heads_paths, head_cells, independent, output):
    shapes = {Path(p).name: Shape.of(json.loads((Path(p) / "config.json").read_text())) for p in backbones}
    sets = {tuple(cell): HeadSet.load(path) for path, cell in zip(heads_paths, head_cells, strict=True)}
    prompts = {}
    for path, (backbone, _, method) in zip(rankings, cells, strict=True):
        frame = pd.read_parquet(path, columns=["qid", "tokens", "rows"])
        frame["documents"] = frame.groupby("qid")["qid"].transform("size")
        prompts.setdefault((backbone, method), []).append(frame.drop_duplicates("qid"))
    answered = {}
    for path in calls:
        place = Path(path).parent.parent.name, Path(path).name.split(".")[0]
        answered.setdefault(place, []).append(read_calls(path))
    rows = []
    for (backbone, method), parts in prompts.items():
        shape = shapes[backbone]
        # Against HeadRank's prompt, the shortest: a method with longer prompts pays for them.
        full = full_operations(shape, pd.concat(prompts[backbone, "headrank"])["tokens"].mean())
        if (backbone, method) in answered:
            # Queries of several benchmarks may share their names: each file is added up by itself.
            told = pd.concat([per_query(part, shape) for part in answered[backbone, method]]).mean()
            numbers = (told["passes"], told["prompt_tokens"], told["new_tokens"], told["operations"] / full)
            rows.append((backbone, method, shape.layers, shape.layers, float("nan"), *numbers))
            continue
        mean, read, documents = pd.concat(parts)[["tokens", "rows", "documents"]].mean()
        # Re-weighted, faithful and untrained forms read the same heads.
        plain = (
            method.removeprefix("reattn-")
            .removesuffix("-untrained")
            .removesuffix("-faithful")
            .removesuffix("-ratio")
        )
        chosen = sets.get((backbone, plain))
        layers = chosen.depth if chosen else shape.layers
        heads = len(chosen.heads) if chosen else shape.layers * shape.heads
        alone = documents if method in independent else 1
        share = truncated_operations(shape, layers, mean, read, heads, alone) / full
        rows.append((backbone, method, layers, shape.layers, heads, 1.0, mean, 0.0, share))
    columns = "backbone method layers_run layers_total heads forward_passes prompt_tokens new_tokens share"
    write_parquet(output, pd.DataFrame(rows, columns=columns.split()))


def per_query(calls, shape):
    """What a method asked of the model for each query. With a key/value cache every token is computed once."""
    # The last token written is never read.
    read = calls["prompt_tokens"] + (calls["new_tokens"] - 1).clip(lower=0)
    operations = [full_operations(shape, tokens) for tokens in read]
    passes = calls["new_tokens"].clip(lower=1)
    each = calls.assign(operations=operations, passes=passes)
    return each.groupby("qid")[["passes", "prompt_tokens", "new_tokens", "operations"]].sum()


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input.rankings,
            snakemake.params.cells,
            snakemake.input.calls,
            snakemake.input.backbones,
            snakemake.input.heads,
            snakemake.params.heads,
            snakemake.params.independent,
            snakemake.output.cost,
        )
