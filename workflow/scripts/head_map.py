"""Lay the selection scores of all heads and the chosen heads out as tidy frames."""

import pandas as pd

from headrank.data.atomic import write_parquet
from headrank.heads.head_set import HeadSet
from headrank.jobs.job import stage


def main(paths, cells, outputs):
    scores, selected = [], []
    for path, (backbone, method) in zip(paths, cells, strict=True):
        heads = HeadSet.load(path)
        selected += [(backbone, method, layer, head) for layer, head in heads.heads]
        scores += [
            (backbone, method, *divmod(i, heads.n_heads), name, value)
            for name, values in heads.statistics.items()
            for i, value in enumerate(values)
        ]
    columns = ["backbone", "method", "layer", "head", "statistic", "value"]
    criteria = pd.DataFrame(scores, columns=columns)
    write_parquet(outputs.criteria, criteria[criteria["statistic"] == "selection"])
    write_parquet(outputs.scores, criteria[criteria["method"] == "headrank"].drop(columns="method"))
    write_parquet(outputs.selected, pd.DataFrame(selected, columns=["backbone", "method", "layer", "head"]))


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(snakemake.input.heads, snakemake.params.cells, snakemake.output)
