"""The study at hand, and the functions of wildcards by which rules ask it."""

import re

from headrank.workflow.limits import Limits
from headrank.workflow.study import RANKED_BY, Study

study = Study(config, DATA)
limits = Limits(study)
RESULTS = study.results
JUDGED_APART = study.judged if study.apart else []
# Only the rules that download may use a network; this is inherited by every job.
os.environ.update(HF_HUB_OFFLINE="1")
# Without a GPU none is asked of the scheduler.
GPU = 1 if limits.gpu else 0
MODEL = {key: config[key] for key in ("device", "dtype")}


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
    backbone=one_of(study.models),
    variant=one_of(study.trained),
    pool=one_of(study.pools),
    shard=one_of(study.shard_names),


def settings(*sections):
    """A function of the wildcards: these sections of ``headrank`` for the backbone and variant at hand."""
    return lambda wildcards: study.settings(
        sections, wildcards.get("backbone"), wildcards.get("variant", "headrank")
    )


def fetched(wildcards):
    return study.fetched(wildcards.collection)


def collection_spec(wildcards):
    return study.collection_spec(wildcards.collection)


def files_of(*names):
    """A function of the wildcards: these files of the collection, none where ``ir_datasets`` keeps them."""
    return lambda wildcards: study.files_of(wildcards.collection, names)


def first_stage_depth(wildcards):
    return study.first_stage_depth(wildcards.collection)


def check_depth(wildcards):
    return study.check_depth(wildcards.collection)


def index_of(wildcards):
    return study.index_of(wildcards.collection) or []


def asked(wildcards):
    return study.asked(wildcards.backbone)


def pool_files(name):
    """A function of the wildcards: a file of each of the pool's collections."""
    return lambda wildcards: [built(f"collections/{c}/{name}") for c in study.pools[wildcards.pool]]


def tokens_per_pass(wildcards, attempt):
    """Tokens of one forward pass, half as many when a job is tried again."""
    return config["tokens_per_pass"] >> (attempt - 1)


def memory(stage, names=()):
    """`mem_mb` of a job that serves these adapters or pools; twice as much when it is tried again."""
    return lambda wildcards, attempt: attempt * limits.memory(
        stage, wildcards.backbone, served(names, wildcards)
    )


def minutes(stage, names=()):
    """`runtime` of the same."""
    return lambda wildcards, attempt: attempt * limits.minutes(
        stage, wildcards.backbone, served(names, wildcards)
    )


def index_memory(wildcards, attempt):
    return attempt * limits.index_memory(wildcards.collection)


def index_minutes(wildcards, attempt):
    return attempt * limits.index_minutes(wildcards.collection)
