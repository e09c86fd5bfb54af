"""One list's training step: this library's, and the plain peft loop that most people write first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headrank.bench.alternatives import attention
from headrank.bench.contenders import Bench, Contender, layers_at, spread_heads
from headrank.engine.backbone import Backbone
from headrank.engine.forward import Reading, prompt_states
from headrank.engine.layer_entry import LayerEntry
from headrank.engine.readout import trained_scores
from headrank.heads.head_set import HeadSet
from headrank.settings import Settings
from headrank.training.adapter import attach_lora
from headrank.training.examples import Example
from headrank.training.objective import list_loss, score_list
from headrank.training.pairs import mine_list

GRADES = 4


def training(bench: Bench, depth: float) -> list[Contender]:
    """Steps with the same loss: ``train-plain`` runs the whole model by eager attention with LoRA on all queries and
    keys; ``train`` is this library's step with the same LoRA, up to the deepest chosen head; ``train-chosen`` trains
    only the chosen heads' layers; ``train-kept`` has the states below them from an earlier epoch.

    The backbone gets a LoRA adapter and keeps it.
    """
    backbone = bench.backbone
    layers = layers_at(depth, backbone)
    settings = _settings(bench.settings)
    heads = spread_heads(backbone, layers, settings.selection.k)
    everywhere = replace(settings.training, modules="qk")
    attach_lora(backbone, spread_heads(backbone, backbone.n_layers, 1), everywhere).train()
    example = _example(bench, heads, settings)
    chosen = {layer for layer, _ in heads.heads}
    lowest = min(chosen)
    states = prompt_states(backbone, example.prompt, ["query"], lowest)
    entry = LayerEntry(lowest, states)

    def ours(entry: LayerEntry | None = None) -> float:
        return _step(
            backbone, score_list(backbone, heads, example.prompt, settings, entry), example, settings
        )

    def plain() -> float:
        return _step(backbone, plain_scores(backbone, heads, example, settings), example, settings)

    def on(layers: set[int] | None, run: Callable[[], float]) -> Callable[[], float]:
        def go() -> float:
            with _trained(backbone, layers):
                return run()

        return go

    def contender(name: str, layers: int, run: Callable[[], float]) -> Contender:
        return Contender(name, layers, depth, 1, bench.tokens, 0.0, run, training=True)

    return [
        contender("train-plain", backbone.n_layers, on(None, plain)),
        contender("train", layers, on(None, ours)),
        contender("train-chosen", layers, on(chosen, ours)),
        contender("train-kept", layers - lowest, on(chosen, lambda: ours(entry))),
    ]


def plain_scores(backbone: Backbone, heads: HeadSet, example: Example, settings: Settings) -> Tensor:
    """(documents,): what ``training.objective.score_list`` gives, from eager attention over the whole model."""
    prompt = example.prompt
    start, stop = prompt.query.rows(settings.query_span)
    device = next(backbone.model.parameters()).device
    ids = torch.tensor([[*prompt.prefix, *prompt.query.ids]], device=device)
    found: dict[int, Tensor] = {}
    with attention(backbone, "eager"), _weights_kept(backbone, found):
        backbone.decoder(input_ids=ids, use_cache=False)
    prefix = len(prompt.prefix)
    rows = slice(prefix + start, prefix + stop)
    mass = torch.stack(
        [found[layer][0, head, rows, :prefix].float().mean(dim=0) for layer, head in heads.heads]
    )
    reading = Reading(prompt, {("query", settings.query_span): mass})
    return trained_scores(reading, settings)


def _settings(settings: Settings) -> Settings:
    # Dropout would make the losses of two steps differ.
    return replace(settings, training=replace(settings.training, lora_dropout=0.0))


def _step(backbone: Backbone, scores: Tensor, example: Example, settings: Settings) -> float:
    """Run the backward pass; returns the loss."""
    backbone.model.zero_grad(set_to_none=True)
    loss, row = list_loss(scores, example, settings)
    loss.backward()
    return row["loss"]


def _example(bench: Bench, heads: HeadSet, settings: Settings) -> Example:
    """The list with random grades, and the pairs that the untrained model's scores give."""
    rng = np.random.default_rng(0)
    prompt = bench.workload.prompt
    grades = rng.integers(0, GRADES, prompt.n_documents)
    with torch.no_grad():
        base = score_list(bench.backbone, heads, prompt, settings).double().cpu()
    pairs = mine_list(grades, base.numpy(), settings.pairs, rng)
    return Example(0, "bench", 0, prompt, torch.from_numpy(grades), base.float(), torch.from_numpy(pairs))


@contextmanager
def _trained(backbone: Backbone, layers: set[int] | None) -> Iterator[None]:
    """Only the LoRA weights of these layers get gradients; None: all."""
    lora = [(name, p) for name, p in backbone.model.named_parameters() if "lora_" in name]
    for name, parameter in lora:
        parameter.requires_grad_(layers is None or any(f".layers.{layer}." in name for layer in layers))
    try:
        yield
    finally:
        for _, parameter in lora:
            parameter.requires_grad_(True)


@contextmanager
def _weights_kept(backbone: Backbone, found: dict[int, Tensor]) -> Iterator[None]:
    layers: Any = backbone.decoder.layers

    def keep(module: nn.Module, _: Any, output: tuple[Tensor, Tensor]) -> None:
        found[int(module.layer_idx)] = output[1]  # type: ignore[arg-type]

    hooks = [layer.self_attn.register_forward_hook(keep) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
