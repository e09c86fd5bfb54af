"""Which adapters one job of selection, mining, training or ranking serves: one, or `adapters_per_job`.

With more than one, the lists of all pools are read by one job too.
"""

PER_JOB = config["adapters_per_job"]
# All backbones have the first kind, one alone the second, and the third is made only when it is asked for by name.
SHOWN_VARIANTS = list(dict.fromkeys([*config["ablation"]["variants"], *config["ablation"]["queries"]]))
KINDS = [
    [name for name in study.trained if name not in config["variants"]],
    SHOWN_VARIANTS,
    [name for name in config["variants"] if name not in SHOWN_VARIANTS],
]
# What is single is a wildcard, so that one rule has them all. New ones come last and leave most jobs as they are.
BATCHES = (
    [["{variant}"]]
    if PER_JOB == 1
    else [kind[i : i + PER_JOB] for kind in KINDS for i in range(0, len(kind), PER_JOB)]
)
READ = ["{pool}"] if PER_JOB == 1 else study.detected_on


def rule_of(stage, batch):
    """The name of the rule that does a stage for these adapters."""
    return stage if PER_JOB == 1 else f"{stage}_{BATCHES.index(batch) + 1}"


def title(batch):
    """What the job's log is called."""
    return batch[0] if len(batch) == 1 else f"{batch[0]}-and-{len(batch) - 1}-more"


def of_each(pattern, names, key="variant"):
    """The pattern's file of each adapter (or pool); other wildcards stay."""
    return [pattern.replace(f"{{{key}}}", name) for name in names]


def served(names, wildcards):
    """The adapters (or pools) that a job serves."""
    return [name.format(**wildcards) for name in names]


def for_each(names, function):
    """A function of the wildcards: adapter (or pool) -> what ``function`` says of the backbone and it."""
    return lambda wildcards: {
        name: function(wildcards.get("backbone"), name) for name in served(names, wildcards)
    }


def settings_of(*sections):
    """A function of a backbone and an adapter: these sections of ``headrank``."""
    return lambda backbone, variant: study.settings(sections, backbone, variant)


def training_queries(backbone, variant):
    """How many training queries an adapter may use; None for all."""
    return study.settings(["training"], backbone, variant)["training"]["queries"]
