"""Join the training collections into one set of queries, judgements, candidates and passages."""

from pathlib import Path

from headrank.data.beir import write_queries
from headrank.data.collections import open_collection, read_passages, write_passages
from headrank.data.several import joined
from headrank.data.trec import read_run, write_qrels, write_run
from headrank.jobs.job import job


def main(inputs, outputs):
    opened = [open_collection(p, {"source": "local", "path": str(Path(p).parent)}) for p in inputs.queries]
    write_queries(outputs.queries, joined([collection.queries() for collection in opened], "query"))
    write_qrels(outputs.qrels, joined([collection.qrels() for collection in opened], "query"))
    write_run(outputs.candidates, joined(map(read_run, inputs.candidates), "query"), "training")
    write_passages(outputs.passages, joined(map(read_passages, inputs.passages), "document").values())


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(snakemake.input, snakemake.output)
