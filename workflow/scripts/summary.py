"""Show a finished study: its main tables and figures on a few pages, and every table as a page that sorts."""

from pathlib import Path

from headrank.data.atomic import write_text
from headrank.jobs.job import job
from headrank.provenance import read_provenance
from headrank.summary.write import write_summary
from headrank.tables.read import read_table
from headrank.tables.sortable import to_html


def main(inputs, title, about, captions, outputs):
    tables = {Path(md).stem: read_table(csv, md) for csv, md in zip(inputs.csv, inputs.md, strict=True)}
    for page in outputs.pages:
        write_text(page, to_html(tables[Path(page).stem]))
    figures = {Path(png).stem: (png, captions[Path(png).stem]) for png in inputs.png}
    provenance = read_provenance(Path(inputs.provenance).parent)
    write_summary(outputs.summary, title, about, tables, figures, provenance)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.input,
            snakemake.params.title,
            snakemake.params.about,
            snakemake.params.captions,
            snakemake.output,
        )
