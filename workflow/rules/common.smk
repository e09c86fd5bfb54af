"""Names, paths, settings and input functions of the stages up to reranking."""

STUDY = config["name"]
# Written out, not a wildcard: Snakemake looks for a file's rule by the part of the path before the first wildcard.
RESULTS = f"results/{STUDY}/"
FROZEN = config["methods"]
# Head sets of other methods that some method of this study needs, and HeadRank's own.
NEEDED = {name.removeprefix("reattn-").removesuffix("-faithful").removesuffix("-ratio") for name in FROZEN}
DETECTED = ["qrhead", "qrhead-ndcg", "qrhead-own", "core", "core-pruned", "core-own", "selective-icr"]
DETECTED = [name for name in DETECTED if name in NEEDED]
DETECTED_ON = ["training", *(["detection"] if any(name.endswith("-own") for name in DETECTED) else [])]
ROUTED = "routehead" in FROZEN
GENERATIVE = config["generative"]["methods"]
GENERATIVE_SETTINGS = {
    k: v for k, v in config["generative"].items() if k not in ("methods", "queries", "whole")
}
# Qwen3-Reranker has weights of its own and a job of its own; of backbones without such weights there is no row, unless
# the study has none at all and runs the prompt on the backbones themselves, in the job of the other methods.
APART = "qwen3-reranker" if config["rerankers"] else None
WRITTEN = [name for name in GENERATIVE if name != APART]
JUDGED = [b for b, spec in config["backbones"].items() if spec["reranker"] or not config["rerankers"]]
JUDGED = JUDGED if "qwen3-reranker" in GENERATIVE else []
JUDGED_APART = JUDGED if APART else []
MODELS = {**config["backbones"], **config["rerankers"], **config["encoders"]}
# Sets of queries with judgements: the one that trains, and one that only detects heads.
POOLS = {"training": config["train_on"], "detection": config["detect_on"]}
# Where each collection's candidates come from.
FIRST_STAGES = {
    name: "run" if spec["run"] else spec["first_stage"] or config["first_stage"]["method"]
    for name, spec in config["collections"].items()
}
# Only the rules that download may use a network; this is inherited by every job.
os.environ.update(HF_HUB_OFFLINE="1")
ENCODER = config["first_stage"]["encoder"] or "none"
ENCODING = ("pooling", "query_prefix", "document_prefix", "max_tokens", "batch")
ENCODING = {key: config["first_stage"][key] for key in ENCODING}
USED = list(dict.fromkeys([*config["train_on"], *config["detect_on"], *config["panel"]]))
# Everything that is trained, by the keys in which it differs from HeadRank.
SEEDED = {f"headrank-seed-{seed}": {"training": {"seed": seed}} for seed in config["seeds"]}
TRAINED = {"headrank": {}, **SEEDED, **config["trained_baselines"], **config["variants"]}
ABLATED = config["ablation"]["backbone"] or next(iter(config["backbones"]))
# Without a GPU none is asked of the scheduler.
GPU = 0 if config["device"] == "cpu" else 1
MODEL = {key: config[key] for key in ("device", "dtype")}
SHARDS = config["shards"]
SHARD_NAMES = [f"{number}-of-{SHARDS}" for number in range(1, SHARDS + 1)]


def built(path):
    """A path below the study's results; wildcards stay."""
    return f"{RESULTS}{path}"


def logged(path):
    """A path below the study's logs."""
    return f"logs/{STUDY}/{path}"


def one_of(names):
    """A wildcard's regular expression; with no names it matches nothing."""
    return "|".join(map(re.escape, names)) or "(?!)"


def having(specs, key, value):
    """Names of collections or models with this value."""
    return [name for name, spec in specs.items() if spec[key] == value]


wildcard_constraints:
    collection=one_of(config["collections"]),
    benchmark=one_of(config["panel"]),
    backbone=one_of(MODELS),
    variant=one_of(TRAINED),
    pool=one_of(POOLS),
    shard=one_of(SHARD_NAMES),


def overlaid(base, over):
    """``base`` with the nested keys of ``over`` in place of its own."""
    both = {key: overlaid(base[key], over[key]) for key in over if isinstance(base.get(key), dict)}
    return {**base, **over, **both}


def headrank_of(backbone):
    """HeadRank's settings on a backbone."""
    spec = config["backbones"][backbone]
    whole = overlaid(config["headrank"], spec.get("headrank", {}))
    return overlaid(whole, {"prompt": {"family": spec["family"]}}) if spec["family"] else whole


def settings(*sections):
    """A function of the wildcards: these sections of ``headrank`` for the backbone and variant at hand."""

    def narrowed(wildcards):
        whole = config["headrank"]
        if "backbone" in wildcards.keys():
            whole = headrank_of(wildcards.backbone)
        whole = overlaid(whole, TRAINED.get(wildcards.get("variant", "headrank"), {}))
        return {section: whole[section] for section in sections}

    return narrowed


# The settings that a ranking by a trained adapter depends on.
RANKED_BY = (
    "prompt",
    "encoding",
    "query_span",
    "document_span",
    "candidates",
    "mass",
    "loss",
    "inference",
)


def samples(wildcards):
    """Lists drawn per query: those that heads are judged on, and of training queries as many as any training sees."""
    most = 0
    for backbone in config["backbones"].values():
        for over in TRAINED.values():
            whole = overlaid(overlaid(config["headrank"], backbone.get("headrank", {})), over)
            seen = whole["lists"]["per_query_per_epoch"] * whole["training"]["epochs"]
            seen = seen if wildcards.pool == "training" else 0
            most = max(most, seen, whole["selection"]["permutations"])
    return most


def first_stage_depth(wildcards):
    """How many candidates are kept: those to be ranked, and of training queries those that lists draw from."""
    depth = config["headrank"]["candidates"]["depth"]
    trained = wildcards.collection in [*config["train_on"], *config["detect_on"]]
    return max(depth, config["headrank"]["lists"]["pool"]) if trained else depth


def training_queries(wildcards):
    """How many training queries the variant at hand may use; None for all."""
    return settings("training")(wildcards)["training"]["queries"]


def checkpoint_config(wildcards):
    """The file that a local checkpoint has to hold."""
    return os.path.join(DATA, MODELS[wildcards.backbone]["path"], "config.json")


def tokenizer_file(wildcards):
    """The tokenizer of a backbone planted on real text."""
    return os.path.join(DATA, config["backbones"][wildcards.backbone]["tokenizer"], "tokenizer.json")


def local_file(directory, name):
    """A file of a local collection, packed or not."""
    plain = os.path.join(directory, name)
    return f"{plain}.gz" if os.path.exists(f"{plain}.gz") and not os.path.exists(plain) else plain


def collection_spec(wildcards):
    """What ``open_collection`` needs; a synthetic collection is a local one that the study made."""
    spec = config["collections"][wildcards.collection]
    if spec["source"] == "ir_datasets":
        return {"source": "ir_datasets", "id": spec["id"]}
    made = f"{RESULTS}synthetic/{wildcards.collection}"
    return {
        "source": "local",
        "path": made if spec["source"] == "synthetic" else os.path.join(DATA, spec["path"]),
    }


def files_of(*names):
    """A function of the wildcards: these files of the collection, none where ``ir_datasets`` keeps them."""

    def paths(wildcards):
        spec = collection_spec(wildcards)
        return [local_file(spec["path"], name) for name in names] if spec["source"] == "local" else []

    return paths


def given_run(wildcards):
    """The first-stage run that the configuration names, if it names one."""
    spec = config["collections"][wildcards.collection]
    return [os.path.join(DATA, spec["path"], spec["run"])] if spec["run"] else []


def judged_files(wildcards):
    """Judgements of a training collection, whose judged documents go into training lists."""
    trained = wildcards.collection in [*config["train_on"], *config["detect_on"]]
    return [f"{RESULTS}collections/{wildcards.collection}/qrels.trec"] if trained else []


def panel_of(backbone):
    """The benchmarks that a backbone ranks, in the study's order."""
    chosen = config["backbones"][backbone]["panel"] or config["panel"]
    return [benchmark for benchmark in config["panel"] if benchmark in chosen]


# What backbones are compared on in one mean.
COMMON = [d for d in config["panel"] if all(d in panel_of(b) for b in config["backbones"])]


def has_baseline(method, backbone):
    """Whether a trained baseline is one of the backbone's."""
    chosen = config["backbones"][backbone]["trained_baselines"]
    return method not in config["trained_baselines"] or chosen is None or method in chosen


def baseline_ranks(method, benchmark):
    """Whether a trained baseline, as against all other methods, ranks the benchmark."""
    chosen = config["baselines_panel"] or config["panel"]
    return method not in config["trained_baselines"] or benchmark in chosen


def ranked(wildcards):
    """How many queries of each benchmark a backbone ranks: None for all, and none of those that it leaves out."""
    panel = panel_of(wildcards.backbone)
    method = wildcards.get("variant", "headrank")
    return {d: None if d in panel and baseline_ranks(method, d) else 0 for d in config["panel"]}


def asked(wildcards):
    """How many queries of each benchmark the generative references of a backbone are asked."""
    given = config["generative"]
    few = {d: None if d in given["whole"] else given["queries"] for d in config["panel"]}
    return {d: few[d] if most is None else most for d, most in ranked(wildcards).items()}


def reranker_of(backbone):
    """The model that judges pointwise beside a backbone: the fine-tuned one of its size, or the backbone itself."""
    return config["backbones"][backbone]["reranker"] or backbone


def fetched(wildcards):
    """What ir_datasets had to download; nothing after it needs a network."""
    downloaded = config["collections"][wildcards.collection]["source"] == "ir_datasets"
    return [f"{RESULTS}collections/{wildcards.collection}/source.json"] if downloaded else []


def corpus_shared(wildcards):
    """The download of the collection whose index this one uses."""
    other = config["collections"][wildcards.collection]["corpus"]
    shared = other and config["collections"][other]["source"] == "ir_datasets"
    return [f"{RESULTS}collections/{other}/source.json"] if shared else []


def first_stage_of(wildcards):
    return FIRST_STAGES[wildcards.collection]


def index_of(wildcards):
    """The index that a collection is searched in: its own, or that of the one that has the same documents."""
    stage = FIRST_STAGES[wildcards.collection]
    name = config["collections"][wildcards.collection]["corpus"] or wildcards.collection
    return f"{RESULTS}indexes/{name}/{stage}" if stage in ("bm25", "dense") else []


def staged(*stages):
    """Collections whose candidates come from one of these."""
    return [name for name, stage in FIRST_STAGES.items() if stage in stages]


def index_memory(wildcards, attempt):
    """MB for building or searching an index: docs/scale.md has the measurements behind it."""
    return attempt * (2000 + (config["collections"][wildcards.collection]["documents"] or 0) * 3 // 2000)


def index_minutes(wildcards, attempt):
    return attempt * (30 + (config["collections"][wildcards.collection]["documents"] or 0) // 50000)


def check_depth(wildcards):
    """How deep the first stage has to be for its comparison with published figures."""
    published = config["collections"][wildcards.collection]["published"]
    return config["first_stage"]["check_depth"] if any(published.values()) else 1


def downloads():
    """All that the study takes from elsewhere: collections of ir_datasets and models of the hub."""
    collections = [name for name in having(config["collections"], "source", "ir_datasets") if name in USED]
    judging = [reranker_of(backbone) for backbone in JUDGED]
    encoding = [ENCODER] if "dense" in [FIRST_STAGES[name] for name in USED] else []
    models = dict.fromkeys([*config["backbones"], *judging, *encoding])
    return (
        [f"{RESULTS}collections/{name}/source.json" for name in collections]
        + [f"{RESULTS}backbones/{name}" for name in models if MODELS[name]["source"] == "hub"]
        + [gguf_fetched(name) for name in models if MODELS[name]["source"] == "gguf" and not at_hand(name)]
    )


def tokens_per_pass(wildcards, attempt):
    """Tokens of one forward pass, half as many when a job is tried again."""
    return config["tokens_per_pass"] >> (attempt - 1)


def pool_files(name):
    """A function of the wildcards: a file of each of the pool's collections."""

    def paths(wildcards):
        return [f"{RESULTS}collections/{c}/{name}" for c in POOLS[wildcards.pool]]

    return paths
