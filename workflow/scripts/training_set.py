"""Put the training collections together: one set of queries, judgements, candidates and passages."""

import json
from pathlib import Path

from headrank.data.atomic import write_text
from headrank.data.collections import open_collection, read_passages, write_passages
from headrank.data.trec import read_run, write_qrels, write_run
from headrank.errors import InputError
from headrank.jobs.job import stage


def joined(parts, what):
    """Mappings put together; one name for two things would mix up two collections."""
    whole = {}
    for part in parts:
        twice = [key for key in part if key in whole and whole[key] != part[key]]
        if twice:
            raise InputError(
                f"train_on: {what} {twice[0]} is in two collections and differs; train on one of them"
            )
        whole.update(part)
    return whole


def main(inputs, outputs):
    opened = [open_collection(p, {"source": "local", "path": str(Path(p).parent)}) for p in inputs.queries]
    queries = joined([collection.queries() for collection in opened], "query")
    rows = [json.dumps({"_id": qid, "text": text}, ensure_ascii=False) for qid, text in queries.items()]
    write_text(outputs.queries, "\n".join(rows) + "\n")
    write_qrels(outputs.qrels, joined([collection.qrels() for collection in opened], "query"))
    write_run(outputs.candidates, joined(map(read_run, inputs.candidates), "query"), "training")
    write_passages(outputs.passages, joined(map(read_passages, inputs.passages), "document").values())


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(snakemake.input, snakemake.output)
