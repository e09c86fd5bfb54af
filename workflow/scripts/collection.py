"""Write a collection's judged queries and judgements in one format, whatever their source."""

from headrank.data.beir import write_queries
from headrank.data.collections import open_collection
from headrank.data.json_files import read_json
from headrank.data.judged_queries import judged_only
from headrank.data.several import check_same_corpus
from headrank.data.trec import write_qrels
from headrank.jobs.job import job


def main(name, spec, source, shared, expected, queries_path, qrels_path):
    sources = [read_json(path, "record of a downloaded collection") for path in (*source, *shared)]
    check_same_corpus(name, [told["corpus"] for told in sources])
    collection = open_collection(name, spec)
    queries, qrels = judged_only(name, collection.queries(), collection.qrels(), expected)
    write_queries(queries_path, queries)
    write_qrels(qrels_path, qrels)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.wildcards.collection,
            snakemake.params.spec,
            snakemake.input.source,
            snakemake.input.shares,
            snakemake.params.judged,
            snakemake.output.queries,
            snakemake.output.qrels,
        )
