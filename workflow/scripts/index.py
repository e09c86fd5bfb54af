"""Index a collection for BM25, once for all that share its documents."""

from headrank.collections import open_collection
from headrank.indexing import build_index
from headrank.stage import stage


def main(name, spec, k1, b, directory):
    build_index(open_collection(name, spec).documents(), directory, k1, b)


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.wildcards.collection,
            snakemake.params.spec,
            snakemake.params.k1,
            snakemake.params.b,
            snakemake.output.index,
        )
