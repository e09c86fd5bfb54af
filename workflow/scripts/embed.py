"""Encode a collection for a dense first stage, once for all collections that share its documents."""

from headrank.data.collections import open_collection
from headrank.jobs.job import job
from headrank.retrieval.dense import Encoder, EncoderSettings, build_dense_index


def main(name, spec, encoder, settings, device, directory):
    build_dense_index(
        open_collection(name, spec).documents(),
        Encoder(encoder, EncoderSettings(**settings), device),
        directory,
    )


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads, snakemake.input, snakemake.output):
        main(
            snakemake.wildcards.collection,
            snakemake.params.spec,
            snakemake.input.encoder,
            snakemake.params.encoder,
            snakemake.params.device,
            snakemake.output.index,
        )
