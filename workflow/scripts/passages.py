"""Extract the candidates' texts from the collection, so that no later job needs all of it."""

from headrank.data.collections import open_collection, write_passages
from headrank.data.trec import read_qrels, read_run
from headrank.errors import InputError
from headrank.jobs.job import job


def main(name, spec, candidates, judged, passages):
    collection = open_collection(name, spec)
    wanted = [docid for ranked in read_run(candidates).values() for docid, _ in ranked]
    documents = collection.lookup(wanted)
    for path in judged:
        more = {docid for grades in read_qrels(path).values() for docid in grades} - documents.keys()
        # Judgements may name documents that the corpus no longer holds; candidates may not.
        documents |= collection.lookup(sorted(more), missing_ok=True)
    if not documents:
        raise InputError(f"collection {name}: the candidates name no document")
    write_passages(passages, documents.values())


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.wildcards.collection,
            snakemake.params.spec,
            snakemake.input.candidates,
            snakemake.input.judged,
            snakemake.output.passages,
        )
