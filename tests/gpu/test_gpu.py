"""On a GPU: the numbers of the CPU, and what happens when its memory runs out (``make test-gpu``)."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from decoders import VOCABULARY, small_config, small_decoder
from support import KINDS, builder, checkpoint, passages
from trainable import HEADS, adapter_weights, examples, make_settings
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from headrank import Reranker
from headrank.engine.attention import run
from headrank.engine.backbone import Backbone, load_backbone
from headrank.engine.capture import Capture, Read
from headrank.engine.devices import choose_device
from headrank.engine.forward import PromptTooLong, Source, read_prompts
from headrank.engine.packing import Segment
from headrank.engine.supported import check_config, check_model
from headrank.errors import InputError
from headrank.methods.entry import Frozen
from headrank.methods.table import METHODS
from headrank.prompts.builder import Prompt
from headrank.training.examples import Example
from headrank.training.loop import TrainingResult, train

if not torch.cuda.is_available():
    pytest.skip("PyTorch sees no GPU", allow_module_level=True)

DEVICES = ("cpu", "cuda")
TOLERANCE = 1e-5
SOURCES = [("query", "query"), ("query", "instruction+query"), ("null", "query")]
CHOSEN = [(0, 2), (1, 3), (3, 0), (3, 1)]
# A prompt with two branches and one with one, in one pass.
SEGMENTS = [Segment(0, 20, (9, 5)), Segment(34, 13, (4,))]
READS = [Read(0, 0, 2, 9), Read(0, 1, 0, 5), Read(1, 0, 1, 4)]


def prompts(kind: str, count: int = 4) -> list[Prompt]:
    return [builder(kind).build(f"red oak {n}", passages(5 + n % 3, seed=n)) for n in range(count)]


Masses = Mapping[Source, torch.Tensor]


def readings(backbone: Backbone, given: Iterable[Prompt], tokens_per_pass: int = 0) -> Iterator[Masses]:
    """Each prompt's masses, which take no memory of the GPU any more."""
    for reading in read_prompts(backbone, given, CHOSEN, SOURCES, tokens_per_pass):
        assert all(mass.device.type == backbone.model.device.type for mass in reading.mass.values())
        yield {source: mass.cpu() for source, mass in reading.mass.items()}


def same(found: Iterable[Masses], expected: Iterable[Masses]) -> None:
    for one, other in zip(found, expected, strict=True):
        for source in SOURCES:
            torch.testing.assert_close(one[source], other[source], atol=TOLERANCE, rtol=0)


def test_auto_is_the_gpu() -> None:
    assert choose_device() == "cuda:0"
    assert next(load_backbone(checkpoint("qwen3")).model.parameters()).device.type == "cuda"


@pytest.mark.parametrize("tokens_per_pass", [0, 10_000])
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_masses_are_those_of_the_cpu(kind: str, tokens_per_pass: int) -> None:
    on_cpu, on_gpu = (
        readings(load_backbone(checkpoint(kind), device=device), prompts(kind), tokens_per_pass)
        for device in DEVICES
    )
    same(on_gpu, on_cpu)


@pytest.mark.parametrize("kind", sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES))
@torch.no_grad()
def test_every_decoder_is_read_as_on_the_cpu(kind: str) -> None:
    try:
        config = small_config(kind)
        check_config(config, "checkpoint")
        model = small_decoder(config)
    except InputError as error:
        pytest.skip(f"refused by name: {error}")
    except Exception as error:
        pytest.skip(f"{kind}: transformers cannot build it small ({type(error).__name__})")
    check_model(model, "checkpoint")
    heads = {layer: list(range(config.num_attention_heads)) for layer in range(config.num_hidden_layers)}
    generator = torch.Generator().manual_seed(3)
    sequences = [torch.randint(3, VOCABULARY, (s.length,), generator=generator).tolist() for s in SEGMENTS]
    on_cpu, on_gpu = (
        run(model.to(device).get_decoder(), sequences, Capture(SEGMENTS, READS, heads, keep_rows=True)).rows
        for device in DEVICES
    )
    for layer, rows in on_cpu.items():
        for one, other in zip(on_gpu[layer], rows, strict=True):
            torch.testing.assert_close(one.cpu(), other, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize(
    "method",
    [
        n
        for n, e in METHODS.items()
        if isinstance(e, Frozen) and not (e.head_set or e.routed or e.studies_only)
    ],
)
def test_frozen_methods_score_as_on_the_cpu(method: str) -> None:
    texts = [document.text for document in passages(9)]
    on_cpu, on_gpu = (
        Reranker(method, checkpoint("qwen3"), device=device).rank("red oak", texts) for device in DEVICES
    )
    cpu_scores = {document.index: document.score for document in on_cpu}
    for document in on_gpu:
        assert document.score == pytest.approx(cpu_scores[document.index], abs=1e-4, rel=1e-4)


def fit(device: str, chosen: tuple[Example, ...] | None = None, **changes: dict[str, Any]) -> TrainingResult:
    backbone = load_backbone(checkpoint("qwen3"), depth=HEADS.depth, device=device)
    return train(backbone, HEADS, chosen or examples(), make_settings(**changes))


def same_adapter(found: TrainingResult, expected: TrainingResult) -> None:
    """The weights that begin at zero have moved the same way, but for rounding."""
    weights = adapter_weights(found.model)
    moved = away = 0.0
    for name, other in adapter_weights(expected.model).items():
        if "lora_B" in name:
            moved += other.square().sum().item()
            away += (weights[name].to(other.device) - other).square().sum().item()
    assert moved > 0
    assert away < 0.01 * moved


def test_training_takes_the_steps_of_the_cpu() -> None:
    # Each device draws dropout of its own.
    changes: dict[str, Any] = {"training": {"lora_dropout": 0.0}}
    on_cpu, on_gpu = (fit(device, **changes) for device in DEVICES)
    for name in ("loss", "pair_accuracy", "ndcg"):
        expected = on_cpu.curve[name].to_numpy()
        assert on_gpu.curve[name].to_numpy() == pytest.approx(expected, abs=1e-3, nan_ok=True), name
    same_adapter(on_gpu, on_cpu)


MIB = 1 << 20
# Bytes that a pass must take before memory runs out on purpose, and what is left of them then. PyTorch takes memory in
# pieces of up to 20 MiB, so that a pass over one short list takes up to 44.
LARGE, SPARE = 1024 * MIB, 96 * MIB


def taken(work: Callable[[], object]) -> int:
    """How many bytes PyTorch reserves for this beyond what it holds when libraries have what they keep."""
    work()
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_reserved()
    work()
    most = torch.cuda.max_memory_reserved()
    gc.collect()
    torch.cuda.empty_cache()
    return most - before


def large_enough(work: Callable[[int], object]) -> int:
    """The number of lists of which one pass takes ``LARGE``; one list takes a tenth of it, which ``SPARE`` holds."""
    assert taken(partial(work, 1)) < SPARE // 2
    for count in (64 << doubled for doubled in range(12)):
        if taken(partial(work, count)) >= LARGE:
            return count
    raise AssertionError("passes of many lists take next to nothing")


@pytest.fixture
def scarce() -> Iterator[Any]:
    """A function that leaves PyTorch so many bytes beyond what it holds, however many others hold."""

    def leave(spare: int) -> None:
        gc.collect()
        torch.cuda.empty_cache()
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + spare) / total)

    yield leave
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


@torch.no_grad()
def test_a_pass_that_does_not_fit_is_halved(scarce: Any, caplog: pytest.LogCaptureFixture) -> None:
    backbone = load_backbone(checkpoint("qwen3"), device="cuda")
    few = prompts("qwen3", 16)

    def read(count: int) -> list[Masses]:
        given = [few[number % len(few)] for number in range(count)]
        return list(readings(backbone, given, 10**9))

    count = large_enough(read)
    expected = read(count)
    scarce(SPARE)
    caplog.set_level(logging.WARNING)
    found = read(count)
    assert f"a pass of {count} prompts does not fit the device's memory; halved" in caplog.text
    same(found, expected)


@torch.no_grad()
def test_a_prompt_that_never_fits_is_named(scarce: Any) -> None:
    backbone = load_backbone(checkpoint("qwen3"), device="cuda")
    long = builder("qwen3").build("red oak", passages(70, words=7))
    # It fits the model's positions, and needs memory beyond what is held for the weights.
    assert taken(lambda: list(readings(backbone, [long]))) > 0
    scarce(0)
    with pytest.raises(PromptTooLong, match="does not fit the device's memory: give fewer candidates"):
        list(readings(backbone, [long]))


def test_a_training_step_that_does_not_fit_is_repeated_with_less(
    scarce: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def step(count: int) -> TrainingResult:
        """One step over so many lists."""
        given = examples()
        lists = tuple(
            replace(given[number % len(given)], list_id=number, qid=str(number), sample=0)
            for number in range(count)
        )
        one: dict[str, Any] = {
            **{"epochs": 1, "heldout_share": 0.0, "batch_lists": count},
            **{"tokens_per_pass": 10**9, "activation_gib": 64.0, "lora_dropout": 0.0},
        }
        return fit("cuda", lists, training=one)

    count = large_enough(step)
    expected = step(count)
    scarce(SPARE)
    caplog.set_level(logging.WARNING)
    found = step(count)
    assert "step 1 is repeated with one list per pass" in caplog.text
    losses = expected.curve["loss"].to_numpy()
    assert found.curve["loss"].to_numpy() == pytest.approx(losses, abs=1e-4)
    same_adapter(found, expected)
