"""Memory and time limits of model jobs: the arithmetic of ``headrank cost`` with a margin.

A job that was stopped by its limits is tried again with twice and three times as much (docs/cluster.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from headrank.cost import predict
from headrank.cost.gguf_sizes import gguf_shape
from headrank.cost.model_shapes import published_shape
from headrank.cost.multiply_adds import Shape
from headrank.data.json_files import read_object
from headrank.errors import InputError
from headrank.evaluation.attacks import ATTACKS
from headrank.generative.effort import query_seconds
from headrank.generative.settings import GenerativeSettings
from headrank.methods.entries.pointwise import JUDGE
from headrank.methods.entry import Released
from headrank.methods.table import ASKED, FROZEN
from headrank.workflow.settings import samples, settings_of
from headrank.workflow.study import Study

# Where nothing is known about a model: more than any job of a 4B model has taken.
UNKNOWN_MB, UNKNOWN_MINUTES = 48000, 1440
# What Python, its libraries and a benchmark's texts take; how long a job takes to start; the factor by which an
# estimate may be off.
BASE_MB, START_MINUTES, MARGIN = 2000, 15, 2
# Words per passage: the mean of most benchmarks is below the first number, and few passages exceed the second.
MEAN_WORDS, LONG_WORDS = 100, 150
TOKENS_PER_WORD, BESIDE_PASSAGES = 1.4, 200
# Trillions of operations a second: a processor of a few cores, and a third of an A100's data sheet.
TFLOPS = {"cpu": 0.2, "gpu": 100}
# Masses are held both in parts and joined before they are written; bytes of a passage's row in a table, with names.
COPIES, ROW_BYTES = 2.5, 200
PLANTED_MB, PLANTED_MINUTES = 2000, 240
# Stages of generative references, which have other prompts.
ASKING = ("generate", "judge")
# Judged queries of a benchmark whose configuration does not say how many: a middling number.
QUERIES = 1000


class Limits:
    """Limits of a study's jobs. A job serves some adapters or pools (``names``), or none in particular."""

    def __init__(self, study: Study) -> None:
        self.study = study
        config = study.config
        assumed = TFLOPS["cpu" if config["device"] == "cpu" else "gpu"]
        given = config["rates"] or {"products": assumed, "attention": assumed}
        self.rates = predict.Rates(given["products"] * 1e12, given["attention"] * 1e12, "config")
        # Bytes of a weight.
        self.width = 4 if config["dtype"] == "float32" else 2
        self.gpu = config["device"] != "cpu"

    def minutes(self, stage: str, backbone: str, names: Iterable[str] = ()) -> int:
        """``runtime`` of a first try: the total time of the adapters or pools that the job serves."""
        model = self._model(stage, backbone)
        served = list(names) or [""]
        if self._built(model):
            return PLANTED_MINUTES
        shape = self.shape_of(model)
        if shape is None:
            return len(served) * UNKNOWN_MINUTES
        seconds = sum(self._seconds(stage, shape, backbone, name) for name in served)
        # A training run is not cut into shards, nor is an injection benchmark.
        seconds /= 1 if stage in ("train", "inject") else self.study.shards
        return START_MINUTES + math.ceil(MARGIN * seconds / 60)

    def memory(self, stage: str, backbone: str, names: Iterable[str] = ()) -> int:
        """``mem_mb`` of a first try: libraries, weights, the longest pass and what is kept until it is written."""
        model = self._model(stage, backbone)
        if self._built(model):
            return PLANTED_MB
        shape = self.shape_of(model)
        if shape is None:
            return UNKNOWN_MB
        served = list(names) or [""]
        kept = max(self._kept_bytes(stage, shape, backbone, name) for name in served)
        taken = max(self._pass_bytes(stage, shape, backbone, name) for name in served)
        held = predict.weight_bytes(shape, shape.layers, self.width) + kept
        return BASE_MB + math.ceil((held + taken) / 1e6)

    def unpacking_memory(self, model: str) -> int:
        """``mem_mb`` of dequantising: the weights, and the largest matrix twice in float32 (1.5B: 5.2 GB of 7.0)."""
        shape = self.shape_of(model)
        if shape is None:
            return UNKNOWN_MB
        held = predict.weight_bytes(shape, shape.layers) + 8 * shape.vocabulary * shape.hidden
        return BASE_MB + math.ceil(held / 1e6)

    def index_memory(self, collection: str) -> int:
        """``mem_mb`` for building or searching an index: docs/scale.md has the measurements behind it."""
        return BASE_MB + self.study.collections.documents(collection) * 3 // 2000

    def index_minutes(self, collection: str) -> int:
        """``runtime`` of the same."""
        return 30 + self.study.collections.documents(collection) // 50000

    def shape_of(self, model: str) -> Shape | None:
        """The sizes of a model, before it is downloaded; None where they cannot be known."""
        spec = self.study.models.specs[model]
        if spec["source"] == "hub":
            return published_shape(spec["id"])
        if spec["source"] == "gguf":
            return _gguf(self.study.models.gguf_file(model))
        file = Path(self.study.data, spec.get("path") or "", "config.json")
        if spec["source"] != "local" or not file.is_file():
            return None
        try:
            return Shape.of(read_object(file, "model configuration"))
        except InputError:
            # The job that loads the model reports what is wrong with it.
            return None

    def _model(self, stage: str, backbone: str) -> str:
        return self.study.reranker_of(backbone) if stage == "judge" else backbone

    def _built(self, model: str) -> bool:
        """Whether the study builds the model itself; such models are small."""
        return self.study.models.specs[model]["source"] in ("planted", "realtext")

    def _queries(self, collections: Iterable[str]) -> int:
        return sum(self.study.config["collections"][name]["judged"] or QUERIES for name in collections)

    def _prompt_tokens(self, words: int, passages: int) -> float:
        """Tokens of a prompt of ``passages`` passages, each of at most ``words`` words."""
        prompt = self.study.config["headrank"]["prompt"]
        cut: float = prompt["truncate_tokens"] or prompt["truncate_words"] * TOKENS_PER_WORD
        return passages * min(words * TOKENS_PER_WORD, cut) + BESIDE_PASSAGES

    def _passages(self, stage: str) -> int:
        """Passages of the stage's longest prompts."""
        lists, candidates = (self.study.config["headrank"][key] for key in ("lists", "candidates"))
        longest: int = lists["size"] + lists["spread"]
        depth: int = candidates["depth"]
        return longest if stage in ("features", "train") else depth

    def _passes(self, stage: str, backbone: str, name: str) -> float:
        """How many prompts all shards of a stage's job read together; training counts its backward passes too."""
        study = self.study
        if stage == "features":
            return self._queries(study.collections.pools[name]) * samples(study, name)
        if stage == "train":
            chosen = settings_of(study, ("lists", "training"), backbone, name)
            lists = (
                self._queries(study.collections.pools["training"]) * chosen["lists"]["per_query_per_epoch"]
            )
            return predict.TRAINING_PASSES * float(lists * chosen["training"]["epochs"])
        # One for all methods that share a pass, and one for each method in its authors' form.
        each = (
            1 + sum(isinstance(FROZEN[method], Released) for method in study.frozen)
            if stage == "frozen"
            else 1
        )
        whole = [benchmark for benchmark, few in study.ranked(backbone, name).items() if few is None]
        return self._queries(whole) * each

    def _seconds(self, stage: str, shape: Shape, backbone: str, name: str) -> float:
        """Time that all shards of a job take for one adapter or pool."""
        if stage == "inject":
            return self._injection_seconds(shape, backbone)
        if stage in ASKING:
            return self._asking_seconds(stage, shape, backbone)
        return self._reading_seconds(stage, shape, backbone, name)

    def _pass_seconds(self, stage: str, shape: Shape) -> float:
        """Time of one of the stage's passes, as if all layers ran."""
        tokens = self._prompt_tokens(MEAN_WORDS, self._passages(stage))
        # One layer more than there are, because the last layer of a pass is not run to its end.
        return predict.pass_seconds(shape, shape.layers + 1, tokens, self.rates)

    def _reading_seconds(self, stage: str, shape: Shape, backbone: str, name: str) -> float:
        """Time that all shards of a job take to read their prompts."""
        return self._passes(stage, backbone, name) * self._pass_seconds(stage, shape)

    def _asking_seconds(self, stage: str, shape: Shape, backbone: str) -> float:
        """Time that all shards of a job of generative references take to ask their questions."""
        study = self.study
        most = {name: math.inf if count is None else count for name, count in study.asked(backbone).items()}
        queries = sum(min(most[name], self._queries([name])) for name in study.panel)
        return queries * self._question_seconds(shape, [JUDGE] if stage == "judge" else study.written)

    def _question_seconds(self, shape: Shape, methods: Iterable[str]) -> float:
        """Time that generative references take for one query."""
        given = GenerativeSettings(**self.study.generative_settings)
        passage_tokens = min(MEAN_WORDS * TOKENS_PER_WORD, given.tokens or given.words * TOKENS_PER_WORD)
        count = self.study.config["headrank"]["candidates"]["depth"]
        device = "gpu" if self.gpu else "cpu"
        return sum(
            query_seconds(
                ASKED[name].effort(count, given), given, shape, self.rates, passage_tokens, self.width, device
            )
            for name in methods
        )

    def _injection_seconds(self, shape: Shape, backbone: str) -> float:
        """Time of the injection benchmark: each method ranks each list untouched and under each attack."""
        study = self.study
        released = sum(isinstance(FROZEN[method], Released) for method in study.attacked(study.frozen))
        adapters = [name for name in study.config["trained_baselines"] if study.has_baseline(name, backbone)]
        passes = 1 + released + study.trains * (1 + len(adapters))
        reading = passes * self._pass_seconds("frozen", shape)
        asking = self._question_seconds(shape, study.attacked(study.written))
        lists: int = study.config["injection"]["queries"] * (1 + len(ATTACKS))
        return lists * (reading + asking)

    def _pass_bytes(self, stage: str, shape: Shape, backbone: str, name: str) -> float:
        """What the longest pass takes beyond the weights."""
        config = self.study.config
        tokens = self._prompt_tokens(LONG_WORDS, self._passages(stage))
        if stage == "train":
            if self.gpu:
                # It is in the GPU's memory then; what does not fit there is recomputed in the backward pass.
                return 0
            chosen: dict[str, Any] = settings_of(self.study, ("training",), backbone, name)["training"]
            longest = max(tokens, chosen["tokens_per_pass"])
            # As if all layers were trained.
            return predict.training_bytes(shape, shape.layers, longest, self.width, chosen["activation_gib"])
        if stage in ASKING:
            tokens = max(tokens, config["generative"]["batch_tokens"])
            cache = predict.cache_bytes(shape, tokens, self.width)
            return MARGIN * predict.pass_bytes(shape, tokens, self.width) + cache
        return MARGIN * predict.pass_bytes(shape, max(tokens, config["tokens_per_pass"]), self.width)

    def _kept_bytes(self, stage: str, shape: Shape, backbone: str, name: str) -> float:
        """What a job holds until it writes it: every head's masses of all passages, a row per method and passage."""
        if stage == "features":
            kinds, methods, prompts = 4, 0, self._passes(stage, backbone, name)
        elif stage in ("frozen", "rerank"):
            kinds, methods = (2, len(self.study.frozen)) if stage == "frozen" else (0, 1)
            prompts = max(self._queries([benchmark]) for benchmark in self.study.panel_of(backbone))
        else:
            return 0
        masses = COPIES * kinds * 4 * shape.layers * shape.heads
        return prompts / self.study.shards * self._passages(stage) * (masses + methods * ROW_BYTES)


@cache
def _gguf(file: str) -> Shape | None:
    """The sizes of the model in a file; None if it is missing or not a GGUF file, which unpacking will report."""
    try:
        return gguf_shape(file)
    except InputError:
        return None
