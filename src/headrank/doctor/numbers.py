"""Whether a backbone's numbers are right: read one way and another, they must be the same.

Differences of attention are told as a share of the greatest attention that is compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from headrank.bench.alternatives import attention
from headrank.doctor.check import WRONG, Check, failed, ok
from headrank.engine.backbone import Backbone
from headrank.engine.finite import NotFinite
from headrank.engine.forward import Source, read_prompts
from headrank.engine.tiles import compiled_attention, kernel
from headrank.prompts.builder import Prompt

_SPAN = "instruction+query+suffix"
_SOURCES: tuple[Source, ...] = (("query", _SPAN), ("null", _SPAN))
# More tokens than the prompts have: one pass holds them all.
_ALL = 10**9
_REPORT = "rankings of this installation may be wrong; report this"
_ROWS, _KEYS = 130, 200
_PROBABLE = 10


@dataclass(frozen=True)
class Bounds:
    """The greatest differences that rounding explains: of attention, and of logarithms of probabilities."""

    attention: float
    logarithm: float


_BOUNDS = {
    torch.float32: Bounds(1e-4, 1e-3),
    torch.float16: Bounds(2e-2, 0.1),
    torch.bfloat16: Bounds(1e-1, 0.5),
}


@torch.no_grad()
def examine_numbers(backbone: Backbone, prompts: Sequence[Prompt]) -> Iterator[Check]:
    """Checks of a whole backbone on a few prompts of unequal lengths."""
    kind = next(backbone.model.parameters()).dtype
    bounds = _BOUNDS[kind]
    try:
        alone = masses(backbone, prompts, 0)
    except NotFinite as error:
        yield failed("finite numbers", str(error), "", WRONG)
        return
    yield _shares(alone)
    again = masses(backbone, prompts, 0)
    name = "same scores twice"
    if all(torch.equal(one, two) for one, two in zip(alone, again, strict=True)):
        yield ok(name, "equal to the last bit")
    else:
        # Some kernels of GPUs add up in any order.
        yield _within(name, difference(again, alone), bounds.attention)
    together = difference(masses(backbone, prompts, _ALL), alone)
    yield _within("many = one at a time", together, bounds.attention)
    yield _within(
        "read-out = eager", difference([eager_mass(backbone, p) for p in prompts], alone), bounds.attention
    )
    yield _within("padded = unpadded", padded_difference(backbone, prompts[0]), bounds.logarithm)
    yield compiled_check(backbone)


def masses(backbone: Backbone, prompts: Sequence[Prompt], tokens_per_pass: int) -> list[Tensor]:
    """For each prompt (2 x heads, prefix): what all heads pay to each token, under the query and the null query."""
    readings = read_prompts(backbone, prompts, backbone.all_heads(), _SOURCES, tokens_per_pass)
    return [torch.cat([reading.mass[source] for source in _SOURCES]).cpu() for reading in readings]


def eager_mass(backbone: Backbone, prompt: Prompt) -> Tensor:
    """The same for one prompt from transformers' eager attention, each branch in a pass of its own."""
    found = []
    for branch in (prompt.query, prompt.null):
        with attention(backbone, "eager"):
            output: Any = backbone.decoder(
                input_ids=_ids(backbone, [*prompt.prefix, *branch.ids]),
                use_cache=False,
                output_attentions=True,
            )
        start, stop = branch.rows(_SPAN)
        prefix = len(prompt.prefix)
        rows = [weights[0, :, prefix + start : prefix + stop, :prefix] for weights in output.attentions]
        found += [layer.float().mean(dim=1) for layer in rows]
    return torch.cat(found).cpu()


def difference(found: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """The greatest difference between two readings of the same prompts, as a share of the greatest value."""
    each = [(one - two).abs().max() / two.abs().max() for one, two in zip(found, right, strict=True)]
    # Of tensors: Python's own maximum may leave NaN out.
    return float(torch.stack(each).max())


def padded_difference(backbone: Backbone, prompt: Prompt) -> float:
    """How far logarithms of the next token's probabilities differ if shorter texts are padded on the left."""
    model: Any = backbone.model
    texts = [list(prompt.prefix[: len(prompt.prefix) // part]) for part in (1, 2, 3)]
    longest = len(texts[0])
    ids = torch.cat([_ids(backbone, [0] * (longest - len(text)) + text) for text in texts])
    mask = torch.cat([_ids(backbone, [0] * (longest - len(text)) + [1] * len(text)) for text in texts])
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    batch = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).logits[:, -1]
    found = []
    for text, row in zip(texts, batch, strict=True):
        alone = model(input_ids=_ids(backbone, text), use_cache=False).logits[0, -1]
        off = (row.float().log_softmax(0) - alone.float().log_softmax(0)).abs()
        # In 16 bits, the logarithms of improbable tokens say little. NaN is the greatest.
        probable = alone.topk(min(_PROBABLE, len(alone))).indices
        found.append(off[probable].max())
    return float(torch.stack(found).max())


def compiled_check(backbone: Backbone) -> Check:
    """Compiled attention on random states in the model's shape, compared with PyTorch's own in float64."""
    name = "compiled = plain"
    if kernel() is None:
        return ok(name, "nothing is compiled, PyTorch's own attention is used")
    config: Any = backbone.decoder.config
    heads = backbone.n_heads
    shared = getattr(config, "num_key_value_heads", None) or heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    found, bounds = [], {torch.float32: 1e-5, torch.bfloat16: 2e-2}
    for kind, bound in bounds.items():
        generator = torch.Generator().manual_seed(0)
        query, key, value = (
            torch.randn(1, count, tokens, width, generator=generator).to(kind)
            for count, tokens in ((heads, _ROWS), (shared, _KEYS), (shared, _KEYS))
        )
        mixed = compiled_attention(query, key, value, width**-0.5)
        if mixed is None:
            continue
        visible = torch.ones(_ROWS, _KEYS, dtype=torch.bool).tril(_KEYS - _ROWS)
        right = scaled_dot_product_attention(
            query.double(), key.double(), value.double(), attn_mask=visible, enable_gqa=True
        ).transpose(1, 2)
        off = float((mixed.double() - right).abs().max() / right.abs().max())
        found.append(f"{str(kind).removeprefix('torch.')} to {off:.1g} (bound {bound:g})")
        if not off <= bound:
            return failed(name, found[-1], _REPORT, WRONG)
    return ok(name, ", ".join(found) or f"not used for heads of {width} dimensions")


def _shares(found: Sequence[Tensor]) -> Check:
    """Attention is never negative, and a row's adds up to at most 1."""
    least = min(float(mass.min()) for mass in found)
    most = max(float(mass.sum(dim=1).max()) for mass in found)
    told = f"{sum(mass.numel() for mass in found)} values from {least:.1g}, {most:.4f} at most for a row"
    if least >= 0 and most <= 1.001:
        return ok("finite numbers", told)
    return failed("finite numbers", told, f"attention adds up to at most 1; {_REPORT}", WRONG)


def _within(name: str, off: float, bound: float) -> Check:
    found = f"{off:.1g} off (bound {bound:g})"
    # Written so that NaN fails.
    return ok(name, found) if off <= bound else failed(name, found, _REPORT, WRONG)


def _ids(backbone: Backbone, ids: Sequence[int]) -> Tensor:
    return torch.tensor([list(ids)], device=next(backbone.model.parameters()).device)
