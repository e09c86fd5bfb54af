"""Draw one figure of the paper as PDF and PNG: a function of tidy frames."""

import pandas as pd

from headrank import figures
from headrank.jobs.job import stage


def main(name, frames, options, outputs):
    draw = getattr(figures, f"{name}_figure")
    read = {
        argument: pd.concat(map(pd.read_parquet, paths), ignore_index=True)
        for argument, paths in frames.items()
    }
    figures.save_figure(draw(**read, **options), pdf=outputs.pdf, png=outputs.png)


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.wildcards.figure,
            dict(snakemake.input.items()),
            snakemake.params.options,
            snakemake.output,
        )
