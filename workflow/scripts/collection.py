"""Bring a collection's judged queries and its judgements into one form, whatever they come from."""

import json
import logging
from pathlib import Path

from headrank.data.atomic import write_text
from headrank.data.collections import open_collection
from headrank.data.trec import write_qrels
from headrank.errors import InputError
from headrank.jobs.job import stage


def check_shared(name, source, other):
    """An index may serve two collections only if they have the very same documents."""
    corpora = [json.loads(Path(path).read_text(encoding="utf-8"))["corpus"] for path in (*source, *other)]
    if len({*corpora}) > 1:
        raise InputError(
            f"collections.{name}.corpus: its documents are {corpora[0]}, the other's are {corpora[1]}"
        )


def main(name, spec, source, shared, expected, queries_path, qrels_path):
    check_shared(name, source, shared)
    collection = open_collection(name, spec)
    texts, qrels = collection.queries(), collection.qrels()
    # The mean of a metric runs over the judged queries; others would only cost time.
    judged = [qid for qid in texts if qid in qrels]
    if not judged:
        raise InputError(
            f"collection {name}: no query has judgements; queries and qrels do not belong together"
        )
    if expected is not None and len(judged) != expected:
        raise InputError(
            f"collections.{name}.judged: {expected} judged queries are expected, {len(judged)} are there"
        )
    logging.info("%s: %d of %d queries are judged", name, len(judged), len(texts))
    rows = [json.dumps({"_id": qid, "text": texts[qid]}, ensure_ascii=False) for qid in judged]
    write_text(queries_path, "\n".join(rows) + "\n")
    write_qrels(qrels_path, {qid: qrels[qid] for qid in judged})


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.wildcards.collection,
            snakemake.params.spec,
            snakemake.input.source,
            snakemake.input.shares,
            snakemake.params.judged,
            snakemake.output.queries,
            snakemake.output.qrels,
        )
