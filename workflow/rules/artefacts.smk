"""What is evaluated and shown, and the functions of wildcards by which rules ask for it."""

from headrank.evaluation.metrics import modules_of_metrics
from headrank.workflow.artefacts import FIGURES, TABLES, TIMED, WRITING, Artefacts
from headrank.workflow.cells import Cells

cells = Cells(study)
artefacts = Artefacts(study, cells)
# What the paper's claims are judged on: the study's own mean, and its averages.
PANELS = {"mean": study.panel, **config["averages"]}
ZONE = {key: config["evaluation"][key] for key in ("zone", "relevant_from", "irrelevant")}
METRICS = config["evaluation"]["metrics"]
# What tables, figures and tests show.
METRIC = METRICS[0]
RESAMPLING = {
    "n_resamples": config["evaluation"]["resamples"],
    "alpha": config["evaluation"]["alpha"],
    "seed": config["seed"],
}
JUDGES = [study.reranker_of(b) for b in study.judged]
USED_MODELS = list(dict.fromkeys([*study.backbones, *JUDGES]))
RUNS = cells.all_runs()


def cells_of(wildcards):
    return cells.of(wildcards.get("scope", "main"))


def rankings_of(wildcards):
    return cells.rankings(cells_of(wildcards))


def runs_of(wildcards):
    return cells.runs(cells_of(wildcards))


def clocked(wildcards):
    """Weights of the adapters that are timed."""
    names = cells.adapters_of(wildcards.backbone)
    return [built(f"adapters/{wildcards.backbone}/{v}/adapter_model.safetensors") for v in names]


def clocked_settings(wildcards):
    """What the adapters that are timed rank by."""
    return for_each(cells.adapters_of(wildcards.backbone), settings_of(*RANKED_BY))(wildcards)


def tested(wildcards):
    """The metrics that tests are made on."""
    return built(f"metrics/{'main' if wildcards.scope == 'rivals' else wildcards.scope}.parquet")


def fused_by(wildcards):
    """The constant by which runs are fused with the first stage before they are evaluated; None for not at all."""
    return config["evaluation"]["fusion"] if wildcards.scope == "fused" else None


def evidence():
    """What says where the tables and figures come from, and that no file has changed since."""
    return [built("provenance.json"), built("manifest.sha256"), *(f"{run}.yaml" for run in RUNS)]
