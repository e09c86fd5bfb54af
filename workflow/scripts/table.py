"""Write one table of the paper as CSV, LaTeX and Markdown: a function of tidy frames."""

from importlib import import_module

import pandas as pd

from headrank.data.frames import read_parquet
from headrank.jobs.job import job
from headrank.tables.write import write_table


def main(name, module, frames, options, outputs):
    make = getattr(import_module(module), f"{name}_table")
    read = {
        argument: pd.concat(map(read_parquet, paths), ignore_index=True) for argument, paths in frames.items()
    }
    write_table(make(**read, **options), csv=outputs.csv, tex=outputs.tex, md=outputs.md)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            snakemake.wildcards.table,
            snakemake.params.module,
            dict(snakemake.input.items()),
            snakemake.params.options,
            snakemake.output,
        )
