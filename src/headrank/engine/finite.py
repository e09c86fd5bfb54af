"""The engine's door: a forward pass that gives NaN or infinite numbers ends with an error that says where they arose.

A comparison with NaN is false, so that a NaN that got further would count as "not above the threshold", and the ranking
would be the first stage's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from headrank.errors import RunError

if TYPE_CHECKING:
    from headrank.engine.backbone import Backbone

_EMBEDDINGS = -1


class NotFinite(RunError):
    """A forward pass gave numbers that are NaN or infinite."""


def all_finite(values: Iterable[Tensor]) -> bool:
    """Whether all numbers are finite. A sum is not if a part is not, and the device is waited for only once.

    values: of sizes whose sum float32 holds, as weights, states and logits are.
    """
    sums = [value.detach().sum(dtype=torch.float32) for value in values]
    return not sums or bool(torch.stack(sums).isfinite().all())


def not_finite(backbone: Backbone, otherwise: str, again: Callable[[], object]) -> NotFinite:
    """The error to raise, which names the model and where the numbers arose.

    again: repeats the forward pass, which is looked at layer by layer. otherwise: the place to name if every layer
    passes on finite numbers.
    """
    layer = _first_layer(backbone.decoder, again)
    where = otherwise if layer is None else f"layer {layer}"
    if layer == _EMBEDDINGS:
        where = "the token embeddings"
    advice = "the weights of the model or of its adapter are damaged: fetch them again, or train again"
    if next(backbone.model.parameters()).dtype == torch.float16:
        advice = f"float16 holds no number above 65504: use bfloat16 or float32 (dtype); or else {advice}"
    return NotFinite(f"{backbone.name}: numbers that are not finite (NaN or infinite) from {where}; {advice}")


@torch.no_grad()
def _first_layer(decoder: nn.Module, again: Callable[[], object]) -> int | None:
    """The first layer whose output is not finite in a pass done ``again``; None if all are that another layer reads."""
    layers: Any = decoder.layers
    found: list[int] = []

    def look_before(layer: int) -> Callable[..., None]:
        def look(_: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            states = arguments[0] if arguments else named["hidden_states"]
            if not found and not states.isfinite().all():
                found.append(layer - 1)

        return look

    hooks = [
        layer.register_forward_pre_hook(look_before(i), with_kwargs=True) for i, layer in enumerate(layers)
    ]
    try:
        again()
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None
