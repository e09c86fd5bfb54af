"""First stage: the documents whose vectors are nearest to the query's, by exact search."""

from pathlib import Path

from headrank.data.collections import open_collection
from headrank.data.trec import write_run
from headrank.jobs.job import job
from headrank.retrieval.dense import DenseIndex, Encoder, EncoderSettings
from headrank.retrieval.first_stage import cut, retrieve


def main(name, inputs, params, outputs):
    known = open_collection(name, {"source": "local", "path": str(Path(inputs.queries).parent)}).queries()
    encoder = Encoder(inputs.encoder, EncoderSettings(**params.encoder), "cpu")
    index = DenseIndex(inputs.index, encoder)
    run = retrieve(index, known, max(params.depth, params.check_depth), params.drop_same_id)
    write_run(outputs.first_stage, run, "dense")
    write_run(outputs.candidates, cut(run, params.depth), "dense")


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads, snakemake.input, snakemake.output):
        main(snakemake.wildcards.collection, snakemake.input, snakemake.params, snakemake.output)
