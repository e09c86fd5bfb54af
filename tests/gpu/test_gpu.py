"""On a GPU: the numbers of the CPU, and what happens when its memory runs out (``make test-gpu``)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
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
from headrank.engine.forward import PromptTooLong, Reading, read_prompts
from headrank.engine.packing import Segment
from headrank.engine.supported import check_config, check_model
from headrank.errors import InputError
from headrank.methods.entry import Frozen
from headrank.methods.table import METHODS
from headrank.prompts.builder import Prompt
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


def readings(backbone: Backbone, given: list[Prompt], tokens_per_pass: int = 0) -> list[Reading]:
    return list(read_prompts(backbone, given, CHOSEN, SOURCES, tokens_per_pass))


def same(found: list[Reading], expected: list[Reading]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for source in SOURCES:
            torch.testing.assert_close(
                one.mass[source].cpu(), other.mass[source].cpu(), atol=TOLERANCE, rtol=0
            )


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
    assert on_gpu[0].mass[SOURCES[0]].is_cuda
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


def fit(device: str, **changes: dict[str, Any]) -> TrainingResult:
    backbone = load_backbone(checkpoint("qwen3"), depth=HEADS.depth, device=device)
    return train(backbone, HEADS, examples(), make_settings(**changes))


def test_training_takes_the_steps_of_the_cpu() -> None:
    on_cpu, on_gpu = (fit(device) for device in DEVICES)
    for name, column in on_cpu.curve.select_dtypes("number").items():
        assert on_gpu.curve[name].to_numpy() == pytest.approx(column.to_numpy(), abs=1e-3, nan_ok=True), name
    weights = adapter_weights(on_gpu.model)
    for name, expected in adapter_weights(on_cpu.model).items():
        torch.testing.assert_close(weights[name].cpu(), expected, atol=2e-3, rtol=0)


@pytest.fixture
def scarce() -> Iterator[Any]:
    """A function that leaves PyTorch so many bytes beyond what it holds."""

    def leave(spare: int) -> None:
        torch.cuda.empty_cache()
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + spare) / total)

    yield leave
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


@torch.no_grad()
def test_a_pass_that_does_not_fit_is_halved(scarce: Any, caplog: pytest.LogCaptureFixture) -> None:
    backbone = load_backbone(checkpoint("qwen3"), device="cuda")
    many = prompts("qwen3", 256)
    expected = readings(backbone, many)
    scarce(64 << 20)
    caplog.set_level(logging.WARNING)
    found = readings(backbone, many, 10**9)
    assert "a pass of 256 prompts does not fit the device's memory; halved" in caplog.text
    same(found, expected)


@torch.no_grad()
def test_a_prompt_that_never_fits_is_named(scarce: Any) -> None:
    backbone = load_backbone(checkpoint("qwen3"), device="cuda")
    long = builder("qwen3").build("red oak", passages(100, words=7))
    scarce(2 << 20)
    with pytest.raises(PromptTooLong, match="does not fit the device's memory: give fewer candidates"):
        readings(backbone, [long])


def test_a_training_step_that_does_not_fit_is_repeated_with_less(
    scarce: Any, caplog: pytest.LogCaptureFixture
) -> None:
    changes: dict[str, Any] = {"training": {"epochs": 1, "heldout_share": 0.0, "tokens_per_pass": 10**6}}
    expected = fit("cuda", **changes)
    # Warm: what libraries allocate once is held already.
    scarce(6 << 20)
    caplog.set_level(logging.WARNING)
    found = fit("cuda", **changes)
    assert "is repeated with" in caplog.text
    for name, column in expected.curve.select_dtypes("number").items():
        assert found.curve[name].to_numpy() == pytest.approx(column.to_numpy(), abs=1e-4, nan_ok=True), name
