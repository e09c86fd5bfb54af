"""Join the features that shards have read, in the order of the lists."""

from headrank.data.frames import read_parquet
from headrank.engine.features import Features
from headrank.jobs.job import job
from headrank.jobs.shards import join_features


def main(parts, lists, output):
    ids = [str(number) for number in sorted(read_parquet(lists, columns=["list_id"])["list_id"].unique())]
    join_features([Features.load(part) for part in parts], ids).save(output)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(snakemake.input.parts, snakemake.input.lists, *snakemake.output.features)
