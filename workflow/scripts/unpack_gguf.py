"""Dequantise a GGUF file, once for the study: a checkpoint that all other jobs load."""

from headrank.process.large_imports import uncollected

with uncollected(for_good=True):
    from headrank.engine.backbone import read_config
    from headrank.engine.gguf.unpack import unpack_gguf
    from headrank.jobs.job import job


def main(file, spec, decoder, directory):
    sha256 = spec["sha256"] or None
    # The digest vouches for the file, wherever it came from.
    told = {key: spec[key] for key in ("id", "revision", "file") if spec[key]}
    unpack_gguf(file, directory, sha256, told)
    if decoder:
        read_config(directory)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input.file,
            snakemake.params.spec,
            snakemake.params.decoder,
            snakemake.output.backbone,
        )
