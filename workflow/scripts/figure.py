"""Draw one figure of the paper as PDF and PNG: a function of tidy frames."""

from importlib import import_module

import pandas as pd

from headrank.data.frames import read_parquet
from headrank.figures.style import save_figure
from headrank.jobs.job import job


def main(name, module, frames, options, outputs):
    draw = getattr(import_module(module), f"{name}_figure")
    read = {
        argument: pd.concat(map(read_parquet, paths), ignore_index=True) for argument, paths in frames.items()
    }
    save_figure(draw(**read, **options), pdf=outputs.pdf, png=outputs.png)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.wildcards.figure,
            snakemake.params.module,
            dict(snakemake.input.items()),
            snakemake.params.options,
            snakemake.output,
        )
