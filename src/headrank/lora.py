"""LoRA beside 16-bit weights: trained without float32 copies of what enters a projection, read in two thin products.

peft turns each projection's input into float32 and keeps that, its dropped-out form and the dropout's factors for the
way back: up to twelve bytes for each number that the layer itself keeps in two. Here they are made again, some tokens
at a time, from the input that is kept anyway; the arithmetic is peft's, in float32.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

ADAPTER = "default"
# Numbers of a chunk's widest temporary: 4 MB in float32.
CHUNK = 1 << 20
_SEEDS = 2**62


def without_copies(model: nn.Module) -> None:
    """Lets the LoRA projections of a peft model with 16-bit weights keep no float32 copies.

    Their parameters, and what is saved of them, stay as they are; float32 projections too, which need no copies.
    Dropout draws another sample than peft's, with the same rate to 2^-17.
    """
    from peft.tuners.lora import Linear

    for module in model.modules():
        if isinstance(module, Linear) and module.weight.dtype in (torch.bfloat16, torch.float16):
            module.forward = MethodType(_forward, module)  # type: ignore[method-assign]


class Beside(nn.Module):
    """A trained LoRA projection for reading alone: the layer's own product, and two thin ones added to it in place.

    In 16 bits the adapter cannot be merged (``headrank.backbone``), and peft adds it in float32 over all outputs, which
    made a pass half as long again (Qwen2.5-Coder 0.5B, ten of 23 layers adapted, one busy core). Here both thin
    products run in the weights' type, and their sum with the layer's own is rounded once.
    """

    down: Tensor
    up: Tensor

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.base = module.base_layer
        like = self.base.weight
        up = module.lora_B[ADAPTER].weight.detach() * module.scaling[ADAPTER]
        self.register_buffer("down", module.lora_A[ADAPTER].weight.detach().to(like))
        self.register_buffer("up", up.to(like))

    def forward(self, states: Tensor) -> Tensor:
        result: Tensor = self.base(states)
        inner = states.reshape(-1, states.shape[-1]) @ self.down.T
        result.view(-1, result.shape[-1]).addmm_(inner, self.up.T)
        return result


def for_reading(model: Any) -> nn.Module:
    """A peft model with 16-bit weights without peft, its LoRA projections being ``Beside``."""
    from peft.tuners.lora import Linear

    base: nn.Module = model.get_base_model()
    for name, module in list(base.named_modules()):
        if isinstance(module, Linear):
            owner, _, attribute = name.rpartition(".")
            setattr(base.get_submodule(owner), attribute, Beside(module))
    return base


def _forward(module: Any, states: Tensor) -> Tensor:
    base = module.base_layer(states)
    down, up = module.lora_A[ADAPTER].weight, module.lora_B[ADAPTER].weight
    rate = getattr(module.lora_dropout[ADAPTER], "p", 0.0) if module.training else 0.0
    # Drawn from the generator that checkpoints keep and that recomputing a layer puts back, wherever the states are.
    seed = int(torch.randint(_SEEDS, ())) if rate else 0
    result: Tensor = _Added.apply(  # type: ignore[no-untyped-call]
        base, states, down, up, module.scaling[ADAPTER], rate, seed
    )
    return result


class _Added(torch.autograd.Function):
    """base + scaling * up(down(dropout(states))): base (1, T, out), states (1, T, in), down (r, in), up (out, r)."""

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
        result = torch.empty_like(base)
        inner = states.new_empty(*states.shape[:-1], len(down), dtype=down.dtype)
        dropout = _Dropout(rate, seed, states.device)
        for part in _chunks(states, up):
            inner[:, part] = dropout(states[:, part].to(down.dtype)) @ down.T
            result[:, part] = base[:, part] + (inner[:, part] @ up.T) * scaling
        ctx.save_for_backward(states, down, up, inner)
        ctx.given = scaling, rate, seed
        return result

    @staticmethod
    @once_differentiable  # type: ignore[misc]
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        states, down, up, inner = ctx.saved_tensors
        scaling, rate, seed = ctx.given
        dropout = _Dropout(rate, seed, states.device)
        # Below the first adapted layer nothing asks for it.
        back = torch.empty_like(states) if ctx.needs_input_grad[1] else None
        to_down, to_up = torch.zeros_like(down), torch.zeros_like(up)
        for part in _chunks(states, up):
            outer = slope[0, part].to(up.dtype) * scaling
            to_up.addmm_(outer.T, inner[0, part])
            middle = outer @ up
            factors = dropout.factors(states[0, part].shape)
            entered = states[0, part].to(down.dtype)
            to_down.addmm_(middle.T, entered if factors is None else entered.mul_(factors))
            if back is not None:
                own = middle @ down
                back[0, part] = own if factors is None else own.mul_(factors)
        return slope, back, to_down, to_up, None, None, None


class _Dropout:
    """The same dropout again each time that it is made from a seed and asked for the same shapes in the same order."""

    def __init__(self, rate: float, seed: int, device: torch.device) -> None:
        self.rate = rate
        self.device = device
        self.generator = torch.Generator(device).manual_seed(seed) if rate else None

    def __call__(self, states: Tensor) -> Tensor:
        factors = self.factors(states.shape)
        return states if factors is None else states * factors

    def factors(self, shape: torch.Size) -> Tensor | None:
        """0 where a number is dropped, 1 / (1 - rate) elsewhere, (shape) float32; None where nothing is dropped."""
        if self.generator is None:
            return None
        count = shape.numel()
        # Four numbers of 16 bits from each draw of 64: a draw for each takes longer than the projection's products.
        draws = torch.empty((count + 3) // 4, dtype=torch.int64, device=self.device)
        draws.random_(-(2**63), None, generator=self.generator)
        kept = draws.view(torch.int16)[:count].view(shape) >= round(self.rate * 2**16) - 2**15
        return kept.to(torch.float32).mul_(1 / (1 - self.rate))


def _chunks(states: Tensor, up: Tensor) -> list[slice]:
    """Tokens by parts whose temporaries stay small."""
    widest = max(states.shape[-1], len(up))
    size = max(1, CHUNK // widest)
    return [slice(start, start + size) for start in range(0, states.shape[1], size)]
