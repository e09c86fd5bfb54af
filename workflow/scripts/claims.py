"""Judge the paper's claims (R14) by what the study measured: a row per claim, backbone and panel of benchmarks."""

from pathlib import Path

from headrank.data.atomic import write_parquet
from headrank.data.frames import read_parquet
from headrank.data.trec import read_qrels
from headrank.evaluation.claims import Evidence, judged_claims
from headrank.evaluation.metrics import main_metric
from headrank.evaluation.middle_zone import ZoneSettings
from headrank.evaluation.per_query import only
from headrank.evaluation.significance import Resampling
from headrank.generative.calls import read_calls
from headrank.heads.head_set import HeadSet
from headrank.jobs.job import job
from headrank.methods.table import kind_of


def main(inputs, params, output):
    values = only(read_parquet(inputs.metrics), params.metric)
    evidence = Evidence(
        values,
        kinds={method: kind_of(method) for method in values["method"].unique()},
        trained={place(path): read_parquet(path) for path in inputs.trained},
        untrained={place(path): read_parquet(path) for path in inputs.untrained},
        qrels={Path(path).parent.name: read_qrels(path) for path in inputs.qrels},
        costs=read_parquet(inputs.costs),
        formats=read_parquet(inputs.formats),
        calls={place(path): read_calls(path) for path in inputs.get("calls", [])},
        queries={Path(path).parent.name: HeadSet.load(path).provenance["queries"] for path in inputs.heads},
    )
    rows = judged_claims(
        evidence,
        params.models,
        params.panels,
        ZoneSettings(**params.zone),
        Resampling(**params.resampling),
        synthetic=params.synthetic,
        depth=params.depth,
        metric=main_metric([params.metric]).title,
    )
    write_parquet(output, rows)


def place(path):
    """(backbone, benchmark) of a file among the runs."""
    return Path(path).parent.parent.name, Path(path).parent.name


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(snakemake.input, snakemake.params, snakemake.output.claims)
