"""Index a collection for BM25, once for all collections that share its documents."""

from headrank.data.collections import open_collection
from headrank.jobs.job import job
from headrank.retrieval.bm25_index import build_index


def main(name, spec, k1, b, directory):
    build_index(open_collection(name, spec).documents(), directory, k1, b)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.wildcards.collection,
            snakemake.params.spec,
            snakemake.params.k1,
            snakemake.params.b,
            snakemake.output.index,
        )
