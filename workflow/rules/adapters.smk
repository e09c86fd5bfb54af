"""Which adapters one job trains, or ranks with: each has its own, or `adapters_per_job` share one."""

PER_JOB = config["adapters_per_job"]
# All backbones have the first kind, one alone the second, and the third is made only when it is asked for by name.
SHOWN_VARIANTS = list(dict.fromkeys([*config["ablation"]["variants"], *config["ablation"]["queries"]]))
KINDS = [
    [name for name in TRAINED if name not in config["variants"]],
    SHOWN_VARIANTS,
    [name for name in config["variants"] if name not in SHOWN_VARIANTS],
]
# A single adapter is a wildcard, so that one rule has them all. New ones come last and leave most jobs as they are.
BATCHES = (
    [["{variant}"]]
    if PER_JOB == 1
    else [kind[i : i + PER_JOB] for kind in KINDS for i in range(0, len(kind), PER_JOB)]
)


def rule_of(stage, batch):
    """The name of the rule that does a stage for these adapters."""
    return stage if PER_JOB == 1 else f"{stage}_{BATCHES.index(batch) + 1}"


def title(batch):
    """What the job's log is called."""
    return batch[0] if len(batch) == 1 else f"{batch[0]}-and-{len(batch) - 1}-more"


def of_adapters(pattern, batch):
    """The pattern's files of each adapter; other wildcards stay."""
    return [pattern.replace("{variant}", name) for name in batch]


def by_adapter(batch, function):
    """A function of the wildcards: adapter -> what ``function`` says of it."""

    def each(wildcards):
        names = [name.format(**wildcards) for name in batch]
        return {name: function(type(wildcards)(fromdict={**wildcards, "variant": name})) for name in names}

    return each
