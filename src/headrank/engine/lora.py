"""LoRA for 16-bit weights, trained and read with two thin matrix products in the weights' own type.

peft converts each projection's input to float32 and keeps it, its form after dropout and the dropout factors for the
backward pass: up to twelve bytes for each number that the layer itself keeps in two. Its float32 sums over all outputs
take half as long as the pass that they are part of. Here an adapter's forward and backward computations run in 16 bits,
with the products summed in float32 as the processor does it; the adapter itself and its training steps stay float32.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

ADAPTER_NAME = "default"
_SEEDS = 2**62


def without_copies(model: nn.Module) -> None:
    """Let the LoRA projections of a peft model with 16-bit weights add in 16 bits and keep no float32 copies.

    Their parameters, gradients and saved files stay float32; float32 projections need no copies and stay as they are. A
    gradient is rounded to the weights' type once, as under automatic mixed precision. Dropout draws a different sample
    from peft's, at the same rate to within 2^-17.
    """
    from peft.tuners.lora import Linear

    for module in model.modules():
        if isinstance(module, Linear) and module.weight.dtype in (torch.bfloat16, torch.float16):
            module.forward = MethodType(_forward, module)  # type: ignore[method-assign]


class Beside(nn.Module):
    """A trained LoRA projection for reading only: the layer's own product, and two thin ones added to it in place.

    In 16 bits the adapter cannot be merged (``headrank.engine.backbone``), and peft adds it in float32 over all
    outputs, which made a pass half as long again (Qwen2.5-Coder 0.5B, ten of 23 layers adapted, one busy core). Here
    both thin products run in the weights' type, and their sum with the layer's own is rounded once.
    """

    down: Tensor
    up: Tensor

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.base = module.base_layer
        like = self.base.weight
        up = module.lora_B[ADAPTER_NAME].weight.detach() * module.scaling[ADAPTER_NAME]
        self.register_buffer("down", module.lora_A[ADAPTER_NAME].weight.detach().to(like))
        self.register_buffer("up", up.to(like))

    def forward(self, states: Tensor) -> Tensor:
        result: Tensor = self.base(states)
        inner = states.reshape(-1, states.shape[-1]) @ self.down.T
        result.view(-1, result.shape[-1]).addmm_(inner, self.up.T)
        return result


def for_reading(model: Any) -> nn.Module:
    """Take peft out of a model with 16-bit weights: its LoRA projections become ``Beside``."""
    from peft.tuners.lora import Linear

    base: nn.Module = model.get_base_model()
    for name, module in list(base.named_modules()):
        if isinstance(module, Linear):
            owner, _, attribute = name.rpartition(".")
            setattr(base.get_submodule(owner), attribute, Beside(module))
    return base


def _forward(module: Any, states: Tensor) -> Tensor:
    base = module.base_layer(states)
    down, up = module.lora_A[ADAPTER_NAME].weight, module.lora_B[ADAPTER_NAME].weight
    rate = getattr(module.lora_dropout[ADAPTER_NAME], "p", 0.0) if module.training else 0.0
    # Drawn from the CPU's generator, wherever the states are: checkpoints keep its state, and recomputing a layer
    # restores it.
    seed = int(torch.randint(_SEEDS, ())) if rate else 0
    result: Tensor = _Added.apply(  # type: ignore[no-untyped-call]
        base, states, down, up, module.scaling[ADAPTER_NAME], rate, seed
    )
    return result


class _Added(torch.autograd.Function):
    """base + scaling * up(down(dropout(states))): base (1, T, out), states (1, T, in), down (r, in), up (out, r).

    It keeps the states, which the layer keeps too, and down's product (T, r).
    """

    @staticmethod
    def forward(
        ctx: Any,
        base: Tensor,
        states: Tensor,
        down: Tensor,
        up: Tensor,
        scaling: float,
        rate: float,
        seed: int,
    ) -> Tensor:
        # The dropout factor goes into the scaling: rounded to 16 bits, it would put the same error on every number.
        scaling /= 1 - rate
        entered = _dropped(states[0], rate, seed)
        inner = entered @ down.to(states.dtype).T
        ctx.save_for_backward(states, down, up, inner)
        ctx.given = scaling, rate, seed
        return torch.addmm(base[0], inner, (up * scaling).to(states.dtype).T)[None]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        states, down, up, inner = ctx.saved_tensors
        scaling, rate, seed = ctx.given
        middle = slope[0] @ (up * scaling).to(slope.dtype)
        to_up = (slope[0].T @ inner).to(up.dtype) * scaling
        to_down = (middle.T @ _dropped(states[0], rate, seed)).to(down.dtype)
        # Nothing below the first adapted layer needs this gradient.
        back = _dropped(middle @ down.to(middle.dtype), rate, seed)[None] if ctx.needs_input_grad[1] else None
        return slope, back, to_down, to_up, None, None, None


def _dropped(states: Tensor, rate: float, seed: int) -> Tensor:
    """The states (T, width) with a share ``rate`` of them set to zero: the same ones for the same seed and shape."""
    if not rate:
        return states
    generator = torch.Generator(states.device).manual_seed(seed)
    count = states.numel()
    # Four 16-bit numbers from each 64-bit draw: one draw per number takes longer than the projection's products.
    draws = torch.empty((count + 3) // 4, dtype=torch.int64, device=states.device)
    draws.random_(-(2**63), None, generator=generator)
    left_out = draws.view(torch.int16)[:count].view(states.shape) < round(rate * 2**16) - 2**15
    return states.masked_fill(left_out, 0)
