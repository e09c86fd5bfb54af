"""Count what each method runs of its backbone: layers, heads, tokens and multiply-adds per query."""

import json
from pathlib import Path

import pandas as pd

from headrank.cost import Shape, full_operations, truncated_operations
from headrank.files import write_parquet
from headrank.heads import HeadSet
from headrank.stage import stage


def main(rankings, cells, backbones, heads_paths, head_cells, independent, output):
    shapes = {Path(p).name: Shape.of(json.loads((Path(p) / "config.json").read_text())) for p in backbones}
    sets = {tuple(cell): HeadSet.load(path) for path, cell in zip(heads_paths, head_cells, strict=True)}
    prompts = {}
    for path, (backbone, _, method) in zip(rankings, cells, strict=True):
        frame = pd.read_parquet(path, columns=["qid", "tokens", "rows"])
        frame["documents"] = frame.groupby("qid")["qid"].transform("size")
        prompts.setdefault((backbone, method), []).append(frame.drop_duplicates("qid"))
    rows = []
    for (backbone, method), parts in prompts.items():
        shape = shapes[backbone]
        mean, read, documents = pd.concat(parts)[["tokens", "rows", "documents"]].mean()
        # Re-weighted, faithful and untrained forms read the same heads.
        plain = method.removeprefix("reattn-").removesuffix("-untrained").removesuffix("-faithful")
        chosen = sets.get((backbone, plain))
        layers = chosen.depth if chosen else shape.layers
        heads = len(chosen.heads) if chosen else shape.layers * shape.heads
        # Against HeadRank's prompt, the shortest: a method with longer prompts pays for them.
        full = full_operations(shape, pd.concat(prompts[backbone, "headrank"])["tokens"].mean())
        alone = documents if method in independent else 1
        share = truncated_operations(shape, layers, mean, read, heads, alone) / full
        rows.append((backbone, method, layers, shape.layers, heads, 1.0, mean, 0.0, share))
    columns = "backbone method layers_run layers_total heads forward_passes prompt_tokens new_tokens share"
    write_parquet(output, pd.DataFrame(rows, columns=columns.split()))


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input.rankings,
            snakemake.params.cells,
            snakemake.input.backbones,
            snakemake.input.heads,
            snakemake.params.heads,
            snakemake.params.independent,
            snakemake.output.cost,
        )
