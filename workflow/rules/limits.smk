"""Memory and time limits of model jobs: the arithmetic of `headrank cost` with a margin.

A job that was stopped by its limits is tried again with twice and three times as much (docs/cluster.md).
"""

import json
import math

from headrank.cost import model_shapes, predict
from headrank.cost.multiply_adds import Shape
from headrank.generative import effort
from headrank.generative.settings import GenerativeSettings

# Where nothing is known of a model: more than any job of a 4B model has taken.
UNKNOWN_MB, UNKNOWN_MINUTES = 48000, 1440
# What Python, its libraries and a benchmark's texts take; how long a job starts; what an estimate may be off by.
BASE_MB, START_MINUTES, MARGIN = 2000, 15, 2
# Words of a passage: of most benchmarks the mean is below this, and fewer passages are longer than the second.
MEAN_WORDS, LONG_WORDS = 100, 150
TOKENS_PER_WORD, BESIDE_PASSAGES = 1.4, 200
# Trillions of operations a second: a third of an A100's data sheet, and a processor of a few cores.
TFLOPS = {"cpu": 0.2, "gpu": 100}
# Masses are there in parts and together before they are written; a passage's row in a table, with its names.
COPIES, ROW_BYTES = 2.5, 200
PLANTED_MB, PLANTED_MINUTES = 2000, 240
# Stages of generative references, whose prompts are other ones.
ASKING = ("generate", "judge")


def given_rates():
    """The configuration's rates, in operations a second."""
    assumed = TFLOPS["cpu" if config["device"] == "cpu" else "gpu"]
    given = config["rates"] or {"products": assumed, "attention": assumed}
    return predict.Rates(given["products"] * 1e12, given["attention"] * 1e12, "config")


def shape_of(model):
    """The sizes of a model, before it is downloaded; None where they cannot be known."""
    spec = MODELS[model]
    if spec["source"] == "hub":
        return model_shapes.published_shape(spec["id"])
    if spec["source"] == "gguf":
        return sizes_of(gguf_file(model))
    file = os.path.join(DATA, spec.get("path") or "", "config.json")
    if spec["source"] != "local" or not os.path.isfile(file):
        return None
    try:
        with open(file, encoding="utf-8") as stream:
            return Shape.of(json.load(stream))
    except (KeyError, TypeError, ValueError):
        # Whoever loads the model says what is wrong with it.
        return None


def tiny(model):
    """Whether the study builds the model itself."""
    return MODELS[model]["source"] in ("planted", "realtext")


def prompt_tokens(words, passages):
    """Tokens of a prompt of so many passages, each of so many words at most."""
    words = min(words, config["headrank"]["prompt"]["truncate_words"])
    return passages * words * TOKENS_PER_WORD + BESIDE_PASSAGES


def queries_of(collections):
    """Judged queries; where nobody has counted them, as many as a middling benchmark has."""
    return sum(config["collections"][name]["judged"] or 1000 for name in collections)


def passages_of(stage):
    """Passages of the stage's prompts."""
    lists = config["headrank"]["lists"]
    longest = lists["size"] + lists["spread"]
    return longest if stage in ("features", "train") else config["headrank"]["candidates"]["depth"]


def passes_of(stage, wildcards):
    """How many prompts all shards of a stage's job read together; training counts its backward passes too."""
    if stage == "features":
        return queries_of(POOLS[wildcards.pool]) * samples(wildcards)
    if stage == "train":
        chosen = settings("lists", "training")(wildcards)
        lists = queries_of(POOLS["training"]) * chosen["lists"]["per_query_per_epoch"]
        return predict.TRAINING * lists * chosen["training"]["epochs"]
    each = {
        # One for all that share a pass, one for each method in its authors' form.
        "frozen": 1
        + sum(name.endswith("-faithful") for name in FROZEN),
    }
    whole = [benchmark for benchmark, few in ranked(wildcards).items() if few is None]
    return queries_of(whole) * each.get(stage, 1)


def kept_bytes(stage, shape, wildcards):
    """What a job holds until it writes it: every head's masses of all passages, and a row per method and passage."""
    if stage == "features":
        kinds, methods, prompts = 4, 0, passes_of(stage, wildcards)
    elif stage in ("frozen", "rerank"):
        kinds, methods = (2, len(FROZEN)) if stage == "frozen" else (0, 1)
        prompts = max(queries_of([name]) for name in panel_of(wildcards.backbone))
    else:
        return 0
    masses = COPIES * kinds * 4 * shape.layers * shape.heads
    return prompts / SHARDS * passages_of(stage) * (masses + methods * ROW_BYTES)


def asking_seconds(stage, shape, wildcards):
    """Time in which all shards of a job of generative references ask their questions."""
    most = {name: math.inf if count is None else count for name, count in asked(wildcards).items()}
    queries = sum(min(most[name], queries_of([name])) for name in config["panel"])
    given = GenerativeSettings(**GENERATIVE_SETTINGS)
    passage_tokens = min(MEAN_WORDS, given.words) * TOKENS_PER_WORD
    count = config["headrank"]["candidates"]["depth"]
    return queries * sum(
        effort.query_seconds(
            effort.effort(name, count, given),
            given,
            shape,
            given_rates(),
            passage_tokens,
            weight_width(),
            "gpu" if GPU else "cpu",
        )
        for name in (["qwen3-reranker"] if stage == "judge" else WRITTEN)
    )


def reading_seconds(stage, shape, wildcards):
    """Time in which all shards of a job read their prompts, as if all layers ran."""
    tokens = prompt_tokens(MEAN_WORDS, passages_of(stage))
    # One layer more than there are: the last of a pass is not run to its end.
    return passes_of(stage, wildcards) * predict.pass_seconds(shape, shape.layers + 1, tokens, given_rates())


def weight_width():
    """Bytes of a weight."""
    return 4 if config["dtype"] == "float32" else 2


def model_of(stage, wildcards):
    return reranker_of(wildcards.backbone) if stage == "judge" else wildcards.backbone


def parts_of_job(wildcards, names, key):
    """Wildcards of each adapter (or pool) that a job serves; of a job that knows none, its own."""
    return for_each(names, lambda each: each, key)(wildcards).values() if names else [wildcards]


def unpacking_memory(wildcards, attempt):
    """`mem_mb` of dequantising: the weights, and the largest matrix in float32 twice over. 1.5B took 5.2 GB of 7.0."""
    shape = shape_of(wildcards.backbone)
    if shape is None:
        return attempt * UNKNOWN_MB
    held = predict.weight_bytes(shape, shape.layers) + 8 * shape.vocabulary * shape.hidden
    return attempt * (BASE_MB + math.ceil(held / 1e6))


def minutes(stage, names=(), key="variant"):
    """`runtime` of a stage's jobs: the time of each adapter (or pool) that they serve."""

    def limit(wildcards, attempt):
        jobs = parts_of_job(wildcards, names, key)
        model = model_of(stage, wildcards)
        shape = shape_of(model)
        if tiny(model):
            return attempt * PLANTED_MINUTES
        if shape is None:
            return attempt * len(jobs) * UNKNOWN_MINUTES
        seconds = sum(
            asking_seconds(stage, shape, job) if stage in ASKING else reading_seconds(stage, shape, job)
            for job in jobs
        )
        seconds /= 1 if stage == "train" else SHARDS
        return attempt * (START_MINUTES + math.ceil(MARGIN * seconds / 60))

    return limit


def training_memory(shape, tokens, wildcards):
    """What a pass with gradients takes beyond the weights; as if all layers were trained."""
    chosen = settings("training")(wildcards)["training"]
    return predict.training_bytes(
        shape,
        shape.layers,
        max(tokens, chosen["tokens_per_pass"]),
        weight_width(),
        chosen["activation_gib"],
    )


def memory(stage, names=(), key="variant"):
    """`mem_mb` of a stage's jobs: libraries, weights, the longest pass and what is kept until it is written."""

    def limit(wildcards, attempt):
        model = model_of(stage, wildcards)
        shape = shape_of(model)
        if tiny(model):
            return attempt * PLANTED_MB
        if shape is None:
            return attempt * UNKNOWN_MB
        width = weight_width()
        tokens = prompt_tokens(LONG_WORDS, passages_of(stage))
        if stage == "train" and GPU:
            # Then they are in the GPU's memory, and where they do not fit gradient checkpointing is switched on.
            taken = 0
        elif stage == "train":
            taken = max(training_memory(shape, tokens, job) for job in parts_of_job(wildcards, names, key))
        elif stage in ASKING:
            tokens = max(tokens, config["generative"]["batch_tokens"])
            taken = MARGIN * predict.pass_bytes(shape, tokens, width) + predict.cache_bytes(
                shape, tokens, width
            )
        else:
            taken = MARGIN * predict.pass_bytes(shape, max(tokens, config["tokens_per_pass"]), width)
        kept = max(kept_bytes(stage, shape, job) for job in parts_of_job(wildcards, names, key))
        held = predict.weight_bytes(shape, shape.layers, width) + kept
        return attempt * (BASE_MB + math.ceil((held + taken) / 1e6))

    return limit
