"""ICR's scores as others compute them: two passes with key/value reuse, eager attention, all attention matrices kept.

They give the same scores as ``headrank.rerankers.icr`` gives in one pass (tests/unit/bench/test_bench.py compares).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from headrank.engine.backbone import Backbone
from headrank.engine.forward import Reading
from headrank.engine.scoring import document_scores
from headrank.prompts.builder import Branch, Prompt
from headrank.rerankers.icr import KERNEL


def forward(backbone: Backbone, prompt: Prompt, layers: int) -> Tensor:
    """The hidden states after the first ``layers``: the plain pass of prefix and query, SDPA, nothing read."""
    with attention(backbone, "sdpa"), cut(backbone, layers):
        output: Any = backbone.decoder(
            input_ids=_ids(backbone, prompt.prefix, prompt.query.ids), use_cache=False
        )
    found: Tensor = output.last_hidden_state
    return found


def two_passes(backbone: Backbone, prompt: Prompt) -> Tensor:
    """(documents,): the prefix once by SDPA, then query and null query on its keys and values, their rows by eager."""
    decoder: Any = backbone.decoder
    cache = DynamicCache(config=decoder.config)
    with attention(backbone, "sdpa"):
        decoder(input_ids=_ids(backbone, prompt.prefix), past_key_values=cache, use_cache=True)

    def read(branch: Branch) -> Tensor:
        with attention(backbone, "eager"), _rows_summed(backbone, branch, len(prompt.prefix)) as total:
            decoder(input_ids=_ids(backbone, branch.ids), past_key_values=cache, use_cache=True)
        cache.crop(-len(branch.ids))
        return total[0]

    return _scores(prompt, read)


def eager(backbone: Backbone, prompt: Prompt) -> Tensor:
    """(documents,): eager attention over query's and null query's whole prompts; each layer's matrices are freed."""

    def read(branch: Branch) -> Tensor:
        with attention(backbone, "eager"), _rows_summed(backbone, branch, len(prompt.prefix)) as total:
            backbone.decoder(input_ids=_ids(backbone, prompt.prefix, branch.ids), use_cache=False)
        return total[0]

    return _scores(prompt, read)


def all_attentions(backbone: Backbone, prompt: Prompt) -> Tensor:
    """(documents,): ``output_attentions=True``, which keeps heads x tokens x tokens of every layer until the end."""

    def read(branch: Branch) -> Tensor:
        with attention(backbone, "eager"):
            output: Any = backbone.decoder(
                input_ids=_ids(backbone, prompt.prefix, branch.ids), use_cache=False, output_attentions=True
            )
        return sum(_branch_mass(w, branch, len(prompt.prefix)) for w in output.attentions)  # type: ignore[return-value]

    return _scores(prompt, read)


def matrix_bytes(backbone: Backbone, prompt: Prompt) -> dict[str, int]:
    """Peak bytes of the matrices of heads x tokens x tokens, for the ways that build them."""
    tokens = len(prompt.prefix) + len(prompt.query.ids)
    width = next(backbone.model.parameters()).element_size()
    matrix = backbone.n_heads * tokens**2
    # Of one layer: logits, their mask added, probabilities in float32 and in the model's type.
    one = matrix * (4 + 3 * width)
    return {"eager": one, "all-attentions": one + backbone.n_layers * matrix * width}


@contextmanager
def attention(backbone: Backbone, implementation: str) -> Iterator[None]:
    """Use another of transformers' attention functions for a while."""
    model: Any = backbone.model
    before = model.config._attn_implementation
    model.set_attn_implementation(implementation)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


@contextmanager
def cut(backbone: Backbone, layers: int) -> Iterator[None]:
    """Cut the backbone to its first layers for a while."""
    decoder: Any = backbone.decoder
    whole = decoder.layers
    decoder.layers = whole[:layers]
    try:
        yield
    finally:
        decoder.layers = whole


@contextmanager
def _rows_summed(backbone: Backbone, branch: Branch, prefix: int) -> Iterator[list[Tensor]]:
    """Adds up the branch's mass over all layers as they run; the list holds the sum."""
    decoder: Any = backbone.decoder
    total: list[Tensor] = []

    def read(_: nn.Module, __: Any, output: tuple[Tensor, Tensor]) -> None:
        mass = _branch_mass(output[1], branch, prefix)
        total[:] = [total[0] + mass if total else mass]

    hooks = [layer.self_attn.register_forward_hook(read) for layer in decoder.layers]
    try:
        yield total
    finally:
        for hook in hooks:
            hook.remove()


def _branch_mass(weights: Tensor, branch: Branch, prefix: int) -> Tensor:
    """(prefix,): attention weights (1, heads, rows, keys), the branch's rows last, averaged over rows, heads added."""
    start, stop = branch.rows(KERNEL.query_span)
    first = weights.shape[2] - len(branch.ids)
    return weights[0, :, first + start : first + stop, :prefix].float().mean(dim=1).sum(dim=0)


def _scores(prompt: Prompt, read: Callable[[Branch], Tensor]) -> Tensor:
    mass = {(name, KERNEL.query_span): read(getattr(prompt, name))[None] for name in ("query", "null")}
    return document_scores(Reading(prompt, mass), KERNEL)


def _ids(backbone: Backbone, *parts: Sequence[int]) -> Tensor:
    device = next(backbone.model.parameters()).device
    return torch.tensor([[i for part in parts for i in part]], device=device)
