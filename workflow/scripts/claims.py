"""Judge the paper's claims (R14) by what the study measured: a row per claim, backbone and panel of benchmarks."""

from pathlib import Path

import pandas as pd

from headrank.data.atomic import write_parquet
from headrank.data.trec import read_qrels
from headrank.evaluation.findings import Measurements, findings
from headrank.evaluation.middle_zone import ZoneSettings
from headrank.evaluation.selectivity import zone_counts, zone_documents
from headrank.evaluation.significance import Resampling
from headrank.evaluation.verdicts import claim_rows, claims_frame, rows_not_run, standing
from headrank.generative.calls import read_calls
from headrank.heads.head_set import HeadSet
from headrank.jobs.job import stage
from headrank.methods.table import kind_of


def main(inputs, models, panels, study, zone, resampling, output):
    grades = {Path(path).parent.name: read_qrels(path) for path in inputs.qrels}
    metrics = pd.read_parquet(inputs.metrics)
    costs, formats = pd.read_parquet(inputs.costs), pd.read_parquet(inputs.formats)
    zones = ZoneSettings(**zone)
    counts = {}
    for after, before in zip(inputs.trained, inputs.untrained, strict=True):
        backbone, benchmark = place(after)
        untrained = pd.read_parquet(before)
        for key, ranking in (("trained", pd.read_parquet(after)), ("untrained", untrained)):
            documents = zone_documents(ranking, grades[benchmark], zones, untrained)
            counts.setdefault((backbone, key), {})[benchmark] = zone_counts(documents)
    calls = {}
    for path in inputs.get("calls", []):
        backbone, benchmark = place(path)
        calls.setdefault(backbone, {})[benchmark] = read_calls(path)
    heads = {Path(path).parent.name: HeadSet.load(path) for path in inputs.heads}
    rows = rows_not_run(models.values())
    for backbone, model in models.items():
        mine = metrics[metrics["backbone"] == backbone]
        of = Measurements(
            values={
                str(name): part.pivot(index="qid", columns="method", values="value")
                for name, part in mine.groupby("benchmark", sort=False)
            },
            kinds={method: kind_of(method) for method in mine["method"].unique()},
            trained=counts[backbone, "trained"],
            untrained=counts[backbone, "untrained"],
            costs=costs[costs["backbone"] == backbone].set_index("method"),
            formats=formats[(formats["backbone"] == backbone) & (formats["method"] == "headrank")],
            calls=calls.get(backbone, {}),
            queries=heads[backbone].provenance["queries"],
        )
        found = findings(of, panels, Resampling(**resampling))
        rows += claim_rows(backbone, model, found, panels, standing(model, of.queries, **study))
    write_parquet(output, claims_frame(rows))


def place(path):
    """(backbone, benchmark) of a file among the runs."""
    return Path(path).parent.parent.name, Path(path).parent.name


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.params.models,
            snakemake.params.panels,
            {key: snakemake.params[key] for key in ("synthetic", "depth", "cutoff")},
            snakemake.params.zone,
            snakemake.params.resampling,
            snakemake.output.claims,
        )
