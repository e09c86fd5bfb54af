"""Link the files of a local checkpoint into the study; nothing is copied."""

from pathlib import Path

from headrank.process.large_imports import uncollected

with uncollected(for_good=True):
    from headrank.data.atomic import whole_folder
    from headrank.engine.backbone import read_config
    from headrank.jobs.job import job


def main(config, decoder, directory):
    source = Path(config).resolve().parent
    if decoder:
        read_config(str(source))
    with whole_folder(directory) as target:
        for path in (path for path in sorted(source.iterdir()) if path.is_file()):
            (target / path.name).symlink_to(path)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(snakemake.input.config, snakemake.params.decoder, snakemake.output.backbone)
