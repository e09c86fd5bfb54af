"""First stage: the documents whose vectors are nearest to the query's, exactly."""

from pathlib import Path

from headrank.collections import open_collection
from headrank.dense import DenseIndex, Encoder, EncoderSettings
from headrank.retrieval import cut, retrieve
from headrank.runs import write_run
from headrank.stage import stage


def main(name, inputs, params, outputs):
    known = open_collection(name, {"source": "local", "path": str(Path(inputs.queries).parent)}).queries()
    encoder = Encoder(inputs.encoder, EncoderSettings(**params.encoder), "cpu")
    index = DenseIndex(inputs.index, encoder)
    run = retrieve(index, known, max(params.depth, params.check_depth), params.drop_same_id)
    write_run(outputs.first_stage, run, "dense")
    write_run(outputs.candidates, cut(run, params.depth), "dense")


if __name__ == "__main__":
    with stage(snakemake.log[0], snakemake.threads):
        main(snakemake.wildcards.collection, snakemake.input, snakemake.params, snakemake.output)
