"""Write the selection scores of all heads, and the chosen heads, as tidy frames."""

from headrank.data.atomic import write_parquet
from headrank.heads.head_map import head_map
from headrank.heads.head_set import HeadSet
from headrank.jobs.job import job


def main(paths, cells, outputs):
    found = head_map({tuple(cell): HeadSet.load(path) for path, cell in zip(paths, cells, strict=True)})
    write_parquet(outputs.criteria, found.criteria)
    write_parquet(outputs.scores, found.scores)
    write_parquet(outputs.selected, found.selected)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(snakemake.input.heads, snakemake.params.cells, snakemake.output)
