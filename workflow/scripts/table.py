"""Write one table of the paper as CSV, LaTeX and Markdown: a function of tidy frames."""

import pandas as pd

from headrank import tables
from headrank.jobs.job import stage


def main(name, frames, options, outputs):
    make = getattr(tables, f"{name}_table")
    read = {
        argument: pd.concat(map(pd.read_parquet, paths), ignore_index=True)
        for argument, paths in frames.items()
    }
    tables.write_table(make(**read, **options), csv=outputs.csv, tex=outputs.tex, md=outputs.md)


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.wildcards.table,
            dict(snakemake.input.items()),
            snakemake.params.options,
            snakemake.output,
        )
