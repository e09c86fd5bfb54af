"""Write one table of the paper as CSV, LaTeX and Markdown: a function of tidy frames."""

from dataclasses import replace
from importlib import import_module

import pandas as pd

from headrank.data.frames import read_parquet
from headrank.data.leakage import note, read_leaks
from headrank.jobs.job import job
from headrank.tables.write import write_table


def main(name, module, frames, leakage, options, outputs):
    make = getattr(import_module(module), f"{name}_table")
    read = {
        argument: pd.concat(map(read_parquet, paths), ignore_index=True) for argument, paths in frames.items()
    }
    table = make(**read, **options)
    for path in leakage:
        table = replace(table, caption=f"{table.caption} {note(*read_leaks(path))}".strip())
    write_table(table, csv=outputs.csv, tex=outputs.tex, md=outputs.md)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.wildcards.table,
            snakemake.params.module,
            {name: paths for name, paths in snakemake.input.items() if name != "leakage"},
            snakemake.input.leakage,
            snakemake.params.options,
            snakemake.output,
        )
