"""The study, and the functions of wildcards with which rules query it."""

import re
from functools import partial

from headrank.evaluation.metrics import modules_of_metrics
from headrank.jobs.plan import keep_failure, keep_plan
from headrank.jobs.remake import keep_configuration
from headrank.methods.entries.pointwise import JUDGE
from headrank.workflow.artefacts import FIGURES, TABLES, TIMED, WRITING, Artefacts
from headrank.workflow.batches import batches, pools
from headrank.workflow.cells import Cells
from headrank.workflow.library import library_digest
from headrank.workflow.limits import Limits
from headrank.workflow.plan import asked, first, planned
from headrank.workflow.rankings import Rankings
from headrank.workflow.settings import RANKED_BY, TRAINED_BY, criteria, samples, settings_of, training_queries
from headrank.workflow.shards import Shards
from headrank.workflow.study import Study

study = Study(config, DATA)
collections = study.collections
cells = Cells(study)
artefacts = Artefacts(study, cells)
rankings = Rankings(study)
shards = Shards(study)
limits = Limits(study)

# Only the rules that download may use a network; every job inherits this.
os.environ.update(HF_HUB_OFFLINE="1")
# Without a GPU none is requested from the scheduler.
GPU = 1 if limits.gpu else 0
MODEL = {key: config[key] for key in ("device", "dtype")}
# What the paper's claims are judged on: the study's own mean, and its averages.
PANELS = {"mean": study.panel, **study.averages}
ZONE = {key: config["evaluation"][key] for key in ("zone", "relevant_from", "irrelevant")}
METRICS = config["evaluation"]["metrics"]
# The metric that tables, figures and tests show.
METRIC = METRICS[0]
RESAMPLING = {
    "n_resamples": config["evaluation"]["resamples"],
    "alpha": config["evaluation"]["alpha"],
    "seed": config["seed"],
}


def built(path):
    """A path below the study's results; wildcards stay."""
    return f"{study.results}{path}"


def logged(path):
    """A path below the study's logs."""
    return f"{study.logs}{path}"


def one_of(names):
    """A wildcard's regular expression; with no names it matches nothing."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    collection=one_of(config["collections"]),
    benchmark=one_of(study.panel),
    backbone=one_of(study.models.specs),
    variant=one_of(study.trained),
    pool=one_of(collections.pools),
    shard=one_of(study.shard_names),


def library(script, methods=None, loads=()):
    """The digest that a rule has as a parameter, so that a change in a file which its script loads reruns it.

    methods: those that the script builds, or whose criteria choose heads in it; other methods do not count.
    loads: modules that it loads by name.
    """
    return library_digest(str(workflow.source_path(f"../scripts/{script}.py")), methods, loads)


def of_collection(ask, *arguments):
    """A function of the wildcards: what the study says about the job's collection."""
    return lambda wildcards: ask(wildcards.collection, *arguments)


def of_backbone(ask):
    """The same for the backbone."""
    return lambda wildcards: ask(wildcards.backbone)


def of_scope(ask):
    """The same for the metrics file, the main one where there is no choice."""
    return lambda wildcards: ask(wildcards.get("scope", "main"))


def of_pool(name):
    """A function of the wildcards: a file of each of the pool's collections."""
    return lambda wildcards: [built(f"collections/{c}/{name}") for c in collections.pools[wildcards.pool]]


def settings(*sections):
    """A function of the wildcards: these sections of ``headrank`` for the job's backbone and variant."""
    return lambda wildcards: settings_of(
        study, sections, wildcards.get("backbone"), wildcards.get("variant", "headrank")
    )


def of_adapters(*sections):
    """A function of a backbone and an adapter: these sections of ``headrank``."""
    return partial(settings_of, study, sections)


def tokens_per_pass(wildcards, attempt):
    """Tokens of one forward pass, half as many when a job is tried again."""
    return config["tokens_per_pass"] >> (attempt - 1)


def memory(stage, batch=None):
    """`mem_mb` of a job that serves a batch of adapters or pools; twice as much when it is tried again."""
    return lambda wildcards, attempt: attempt * limits.memory(
        stage, wildcards.backbone, batch.served(wildcards) if batch else ()
    )


def minutes(stage, batch=None):
    """`runtime` of the same."""
    return lambda wildcards, attempt: attempt * limits.minutes(
        stage, wildcards.backbone, batch.served(wildcards) if batch else ()
    )


def index_memory(wildcards, attempt):
    return attempt * limits.index_memory(wildcards.collection)


def index_minutes(wildcards, attempt):
    return attempt * limits.index_minutes(wildcards.collection)
