"""Gather Snakemake's benchmark files: seconds and memory of every job."""

from headrank.data.atomic import write_parquet
from headrank.jobs.job import job
from headrank.tables.timing import read_benchmarks


def main(directory, rules, output):
    benchmarks = read_benchmarks(directory)
    write_parquet(output, benchmarks[benchmarks["rule"].isin(rules)])


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(snakemake.params.directory, snakemake.params.rules, snakemake.output.timing)
