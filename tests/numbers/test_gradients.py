"""Gradients against finite differences in float64: of each loss, of the read-out, and of LoRA through the whole model.

The model's differences are taken on a Llama that is written out here in float64, so that they also hold up the masses
that the engine reads. A step of 1e-5 leaves central differences with ten correct digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from support import checkpoint, tiny_prompt
from torch import Tensor

from headrank.engine.backbone import Backbone, load_backbone
from headrank.engine.forward import Reading, read_prompts
from headrank.engine.readout import trained_scores
from headrank.heads.head_set import HeadSet
from headrank.prompts.builder import Branch, Prompt
from headrank.settings import LossSettings, RegulariserSettings, Settings
from headrank.training.adapter import attach_lora
from headrank.training.examples import Example
from headrank.training.losses import group_contrastive_loss, pointer_loss, preference_loss, regulariser
from headrank.training.objective import list_loss, score_list

# Of float32 passes over four layers: masses to a share of the largest, gradients to a share of the whole gradient.
MASSES, GRADIENTS = 2.0**-16, 2.0**-16
STEP = 1e-5
KIND, HEADS = "llama", HeadSet("headrank", "tiny", 4, 6, ((2, 1), (1, 4), (2, 3)), (1.0, 0.5, 0.4))
GRADES = torch.tensor([2, 0, -1, 1, 0, 3])


def scores(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(GRADES), generator=generator, dtype=torch.float64, requires_grad=True)


# --- losses and read-outs by themselves ---


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("form", ["dpo", "reference-free"])
def test_the_preference_loss(form: Any, seed: int) -> None:
    base, pairs = scores(100 + seed).detach(), torch.tensor([[0, 1], [5, 0], [3, 4], [0, 3]])
    settings = LossSettings(form=form, beta=1.7, gamma=0.4)
    assert torch.autograd.gradcheck(lambda f: preference_loss(f, base, pairs, settings), scores(seed))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("form", ["soft-grades", "variance", "entropy", "base"])
def test_the_regularisers(form: Any, seed: int) -> None:
    base, settings = scores(100 + seed).detach(), RegulariserSettings(form=form, sigma=3.0)

    def loss(f: Tensor) -> Tensor:
        return regulariser(f, base, GRADES, slice(1, 5), settings)

    assert torch.autograd.gradcheck(loss, scores(seed))
    assert loss(scores(seed)) > 0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("loss", [group_contrastive_loss, pointer_loss])
def test_the_losses_of_other_methods(loss: Callable[..., Tensor], seed: int) -> None:
    assert torch.autograd.gradcheck(lambda f: loss(f, GRADES, LossSettings()), scores(seed))


READ_OUTS: dict[str, dict[str, Any]] = {
    "log-mean": {},
    "lengths": {"mass": {"length_alpha": 0.5}},
    "mean-log": {"loss": {"score": "mean-log"}},
    "ratio": {"mass": {"calibration": "ratio", "length_alpha": 1.0}},
    "mass": {"loss": {"form": "group-contrastive", "score": "mass"}},
}


@pytest.mark.parametrize("name", READ_OUTS)
def test_the_read_out(name: str) -> None:
    settings = Settings.from_mapping(READ_OUTS[name])
    spans, tail = ((1, 4), (5, 6), (6, 6), (8, 12)), Branch((1, 2), (0, 1))
    prompt = Prompt((0,) * 13, spans, spans, tail, tail)
    draw = torch.Generator().manual_seed(0)
    masses = [
        torch.rand(3, 13, generator=draw, dtype=torch.float64).requires_grad_() for _ in ("query", "null")
    ]

    def read(query: Tensor, null: Tensor) -> Tensor:
        reading = Reading(prompt, {("query", "query"): query, ("null", "query"): null})
        return trained_scores(reading, settings)

    # The null query's mass counts in one of them only; gradcheck wants every input to.
    if name == "ratio":
        assert torch.autograd.gradcheck(read, tuple(masses))
    else:
        assert torch.autograd.gradcheck(lambda query: read(query, masses[1].detach()), masses[0])


# --- through the model ---


def llama(weights: dict[str, Tensor], config: Any, ids: list[int], depth: int) -> list[Tensor]:
    """(heads, tokens, tokens) attention weights of each layer, in float64."""
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    width, count = config.hidden_size // heads, len(ids)
    turns = config.rope_parameters["rope_theta"] ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = (torch.arange(count, dtype=torch.float64)[:, None] * turns).repeat(1, 2)
    later = torch.ones(count, count, dtype=torch.bool).triu(1)

    def norm(x: Tensor, name: str) -> Tensor:
        return x * (x.square().mean(-1, keepdim=True) + config.rms_norm_eps).rsqrt() * weights[name]

    def turned(x: Tensor) -> Tensor:
        first, second = x.chunk(2, dim=-1)
        return x * angles.cos() + torch.cat([-second, first], -1) * angles.sin()

    x, found = weights["embed_tokens.weight"][ids], []
    for layer in range(depth):
        own = f"layers.{layer}."
        inner = norm(x, f"{own}input_layernorm.weight")
        q, k, v = (
            (inner @ weights[f"{own}self_attn.{name}_proj.weight"].T).view(count, n, width).transpose(0, 1)
            for name, n in (("q", heads), ("k", kv_heads), ("v", kv_heads))
        )
        k, v = (part.repeat_interleave(heads // kv_heads, dim=0) for part in (turned(k), v))
        logits = (turned(q) @ k.transpose(1, 2) * width**-0.5).masked_fill(later, -math.inf)
        found.append(logits.softmax(-1))
        mixed = (found[-1] @ v).transpose(0, 1).reshape(count, -1)
        x = x + mixed @ weights[f"{own}self_attn.o_proj.weight"].T
        inner = norm(x, f"{own}post_attention_layernorm.weight")
        gate, up, down = (weights[f"{own}mlp.{name}_proj.weight"] for name in ("gate", "up", "down"))
        x = x + (torch.nn.functional.silu(inner @ gate.T) * (inner @ up.T)) @ down.T
    return found


def weights_of(backbone: Backbone) -> dict[str, Tensor]:
    return {name: p.detach().double() for name, p in backbone.decoder.named_parameters()}


@torch.no_grad()
def test_the_masses_that_are_read_are_those_of_a_model_written_out_in_float64() -> None:
    backbone, prompt = load_backbone(checkpoint(KIND)), tiny_prompt(KIND)
    sources = [("query", "query"), ("null", "instruction+query+suffix")]
    (reading,) = read_prompts(backbone, [prompt], backbone.all_heads(), sources)
    weights = weights_of(backbone)
    for branch, span in sources:
        tail = getattr(prompt, branch)
        attention = llama(weights, backbone.model.config, [*prompt.prefix, *tail.ids], backbone.depth)
        start, stop = (len(prompt.prefix) + place for place in tail.rows(span))
        expected = torch.cat([rows[:, start:stop, : len(prompt.prefix)].mean(1) for rows in attention])
        assert expected.std() > 0.001
        assert (reading.mass[branch, span] - expected).abs().max() < MASSES * expected.max()


def by_hand(attention: list[Tensor], prompt: Prompt, example: Example, settings: Settings) -> Tensor:
    """The list's loss: R4 and R8 with DPO, R9 with soft grades, written down once more."""
    start, stop = (len(prompt.prefix) + place for place in prompt.query.query)
    rows = torch.stack([attention[layer][head, start:stop].mean(0) for layer, head in HEADS.heads])
    mass = torch.stack([rows[:, a:b].sum(1) for a, b in prompt.text], dim=1) + settings.mass.epsilon
    f = (mass / mass.sum(1, keepdim=True)).mean(0).log()
    margins = [
        (f[better] - f[worse]) - (example.base[better] - example.base[worse])
        for better, worse in example.pairs.tolist()
    ]
    preference = torch.stack([(1 + (-settings.loss.beta * m).exp()).log() for m in margins]).mean()
    judged = [i for i, grade in enumerate(example.grades.tolist()) if grade >= 0]
    wanted = (example.grades[judged].double() / settings.regulariser.tau).softmax(0)
    spread = (wanted * (wanted.log() - f[judged].log_softmax(0))).sum()
    return preference + settings.regulariser.weight * spread


@pytest.mark.parametrize("modules", ["all", "qk"])
def test_lora_s_gradient_through_the_attention_that_is_read(modules: str) -> None:
    settings = Settings.from_mapping(
        {"training": {"modules": modules, "lora_r": 3, "lora_alpha": 6, "lora_dropout": 0.0}}
    )
    backbone, prompt = load_backbone(checkpoint(KIND), depth=HEADS.depth), tiny_prompt(KIND, count=6)
    weights = weights_of(backbone)
    model = attach_lora(backbone, HEADS, settings.training).eval()
    draw = torch.Generator().manual_seed(5)
    lora = {name: p for name, p in model.named_parameters() if p.requires_grad}
    with torch.no_grad():
        for parameter in lora.values():
            parameter.copy_(0.15 * torch.randn(parameter.shape, generator=draw))
    base = torch.randn(6, generator=draw)
    pairs = torch.tensor([[0, 1], [5, 0], [3, 4], [0, 3]])
    example = Example(0, "q", 0, prompt, GRADES, base, pairs)
    loss, _ = list_loss(score_list(backbone, HEADS, prompt, settings), example, settings)
    loss.backward()
    found = {name: p.grad.double() for name, p in lora.items() if p.grad is not None}
    assert found.keys() == lora.keys()
    point = {name: p.detach().double() for name, p in lora.items()}

    def value(changes: dict[str, Tensor], step: float) -> float:
        """The loss where the adapter is moved by ``step`` along the changes."""
        at = {name: p + step * changes[name] if name in changes else p for name, p in point.items()}
        whole = dict(weights)
        for name in at:
            if ".lora_A." in name:
                place = name.split(".model.model.")[1].split(".lora_A.")[0] + ".weight"
                product = at[name.replace(".lora_A.", ".lora_B.")] @ at[name]
                whole[place] = whole[place] + 2.0 * product
        attention = llama(whole, backbone.model.config, [*prompt.prefix, *prompt.query.ids], HEADS.depth)
        return float(by_hand(attention, prompt, example, settings))

    assert loss.item() == pytest.approx(value({}, 0.0), rel=1e-5)
    size = math.sqrt(sum(float(g.square().sum()) for g in found.values()))
    # Of each tensor along its own gradient and along a random direction, and of all at once.
    directions = [{name: gradient} for name, gradient in found.items()]
    drawn = [{name: torch.randn(p.shape, generator=draw).double()} for name, p in point.items()]
    directions += [*drawn, {name: v for part in drawn for name, v in part.items()}, dict(found)]
    for direction in directions:
        length = math.sqrt(sum(float(v.square().sum()) for v in direction.values()))
        direction = {name: v / length for name, v in direction.items()}
        expected = (value(direction, STEP) - value(direction, -STEP)) / (2 * STEP)
        along = sum(float((found[name] * v).sum()) for name, v in direction.items())
        assert abs(along - expected) < GRADIENTS * size, list(direction)
    # The bound is far below what most tensors' own gradients are.
    assert np.median([float(g.norm()) for g in found.values()]) > 30 * GRADIENTS * size
