"""LoRA beside 16-bit weights: peft's arithmetic, no float32 copy of anything as long as the prompt."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from support import checkpoint
from torch import nn
from trainable import HEADS, make_settings

from headrank.engine import lora
from headrank.engine.backbone import load_backbone
from headrank.engine.lora import for_reading, without_copies
from headrank.training.adapter import attach_lora

WIDTHS = (48, 80)


class Two(nn.Module):
    """A projection beneath another."""

    def __init__(self) -> None:
        super().__init__()
        self.lower, self.upper = nn.Linear(*WIDTHS, bias=True), nn.Linear(*reversed(WIDTHS), bias=False)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.upper(torch.tanh(self.lower(states)))
        return result


def adapted(dtype: torch.dtype, dropout: float, lean: bool) -> Any:
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=8, lora_dropout=dropout, target_modules=["lower", "upper"])
    model = get_peft_model(Two().to(dtype), config)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(generator=generator)
    if lean:
        without_copies(model)
    return model.train()


def gradients(
    model: Any, states: torch.Tensor, seed: int = 3
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Output, and the gradients of all adapters and of what came in."""
    torch.manual_seed(seed)
    entered = states.clone().requires_grad_()
    output = model(entered)
    weight = torch.linspace(-1, 1, output.numel()).view_as(output)
    (output.float() * weight).sum().backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    return output.detach(), {**found, "states": entered.grad}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_without_dropout_it_is_peft_to_rounding(dtype: torch.dtype):
    states = torch.randn(1, 80, WIDTHS[0], generator=torch.Generator().manual_seed(2)).to(dtype)
    exact = gradients(adapted(torch.float32, 0.0, False), states.float())
    peft, found = (gradients(adapted(dtype, 0.0, lean), states) for lean in (False, True))

    def error(of: torch.Tensor, name: str) -> float:
        expected = exact[0] if name == "output" else exact[1][name]
        return ((of.float() - expected).norm() / expected.norm()).item()

    assert found[1].keys() == peft[1].keys()
    # The layers' own rounding errs in both; ours adds that of the thin products and of each gradient.
    assert error(found[0], "output") < 1.5 * error(peft[0], "output")
    for name, value in peft[1].items():
        assert found[1][name].dtype == value.dtype
        assert error(found[1][name], name) < 2 * error(value, name) + torch.finfo(dtype).eps, name


def test_dropout_has_its_rate():
    states = torch.ones(4000, WIDTHS[0], dtype=torch.bfloat16)
    kept = lora._dropped(states, 0.25, 7)
    assert kept.unique().tolist() == [0.0, 1.0]
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.01)
    # Neither rows nor columns are dropped as a whole.
    assert kept.float().mean(dim=0).std() < 0.02


def test_dropout_has_its_gradient():
    module = adapted(torch.float32, 0.25, False).base_model.model.lower
    down, up = module.lora_A["default"].weight, module.lora_B["default"].weight
    states, base = torch.randn(1, 400, WIDTHS[0]), torch.zeros(1, 400, WIDTHS[1])
    exact = [x.detach().clone().requires_grad_() for x in (states, down, up)]
    own = [x.detach().clone().requires_grad_() for x in (states, down, up)]
    kept = lora._dropped(torch.ones(400, WIDTHS[0]), 0.25, 7) / 0.75
    expected = ((exact[0] * kept) @ exact[1].T) @ exact[2].T * 2
    found = lora._Added.apply(base, *own, 2.0, 0.25, 7)
    torch.testing.assert_close(found, expected)
    for result in (expected, found):
        result.square().sum().backward()
    for mine, other in zip(own, exact, strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-4, atol=1e-3)


def test_the_generator_decides_the_sample():
    states = torch.randn(1, 80, WIDTHS[0]).bfloat16()
    same = [gradients(adapted(torch.bfloat16, 0.3, True), states, seed)[0] for seed in (3, 3, 4)]
    assert torch.equal(same[0], same[1])
    assert not torch.equal(same[0], same[2])


def test_what_is_not_trained_gets_no_gradient_and_float32_is_left_alone():
    model = adapted(torch.bfloat16, 0.1, True)
    model(torch.randn(1, 20, WIDTHS[0]).bfloat16()).sum().backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {
        name for name, p in model.named_parameters() if "lora_" in name
    }
    plain = adapted(torch.float32, 0.1, True).base_model.model.lower
    assert "forward" not in vars(plain)


@torch.no_grad()
def test_in_evaluation_nothing_is_dropped():
    model = adapted(torch.bfloat16, 0.5, True).eval()
    states = torch.randn(1, 30, WIDTHS[0]).bfloat16()
    expected = adapted(torch.bfloat16, 0.5, False).eval()(states)
    torch.testing.assert_close(model(states), expected, rtol=0, atol=0.05)
    assert torch.equal(model(states), model(states))


def test_no_float32_state_is_kept():
    model = adapted(torch.bfloat16, 0.1, True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        model(torch.randn(1, 80, WIDTHS[0]).bfloat16())
    long = [t for t in kept if t.dtype == torch.float32 and t.shape[0] == 1 and t.shape[-1] > 4]
    assert not long


def test_a_backbone_is_adapted_so():
    backbone = load_backbone(checkpoint("qwen3"), depth=HEADS.depth, dtype="bfloat16")
    model = attach_lora(backbone, HEADS, make_settings().training)
    forwards = [m for m in model.modules() if "forward" in vars(m)]
    assert len(forwards) == 2 * 7 + 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@torch.no_grad()
def test_an_adapter_that_is_read_equals_pefts_within_rounding(dtype: torch.dtype):
    states = torch.randn(1, 80, WIDTHS[0], generator=torch.Generator().manual_seed(5)).to(dtype)
    exact = adapted(torch.float32, 0.0, False).eval()(states.float())
    peft = adapted(dtype, 0.3, False).eval()(states)
    model = for_reading(adapted(dtype, 0.3, False).eval())
    read = model(states)
    assert read.dtype == dtype
    assert not any("lora" in name for name, _ in model.named_modules())
    # As near to float32 as peft is, give or take the rounding of the adapter's own weights.
    ours, theirs = ((found.float() - exact).abs().mean().item() for found in (read, peft))
    assert ours < 1.5 * theirs
    assert ours < 0.02 * exact.abs().mean().item()


@torch.no_grad()
def test_what_is_far_below_the_weights_rounding_is_not_lost():
    model = adapted(torch.bfloat16, 0.0, False).eval()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            # A change of the weights that rounding them to 8 bits would swallow.
            parameter.mul_(1e-4)
    lower = for_reading(model).get_submodule("lower")
    given = torch.ones(1, 1, WIDTHS[0], dtype=torch.bfloat16)
    added = (given.view(1, -1) @ lower.down.T) @ lower.up.T
    assert added.abs().max() > 0
    merged = (lower.base.weight + lower.up @ lower.down).sub(lower.base.weight)
    assert (merged == 0).float().mean() > 0.5
