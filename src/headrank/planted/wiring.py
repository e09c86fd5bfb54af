"""Puts the circuits of ``circuits`` into a Qwen3 model: token states into the embedding, heads into the projections.

Layer 0 gets the *previous* circuit and layer 1 the *repeat* circuit, each in the first key-value head; matching heads
go where the spec says; every other key-value head gets a habit (near, far, sink, noise). All other weights are random
and so small that they hardly change a token's state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch

from headrank.planted.checkpoint import blank_model
from headrank.planted.circuits import RARITY_UNIT, Floats, Layout, Painter, Rotary
from headrank.planted.embeddings import TokenVectors
from headrank.planted.families import Families
from headrank.planted.specs import RealTextSpec

if TYPE_CHECKING:
    from transformers import Qwen3ForCausalLM

HABITS = ("recent", "noise", "early", "sink")
# Logit of a repetition in the repeat head, and what it loses per token of distance: a label that is nearer by a few
# tokens wins.
REPEAT_LOGIT, REPEAT_SLOPE = 150.0, 0.4
# Gains of the first layer, whose circuit must tell one neighbour from thousands of other positions, and of the others.
FIRST_GAIN, GAIN = 240.0, 60.0


def layout_of(spec: RealTextSpec) -> Layout:
    """Where each part lies in the token states of a spec."""
    return Layout(spec.hidden, spec.embedding.semantic, spec.embedding.identity)


def token_states(
    spec: RealTextSpec,
    vectors: TokenVectors,
    families: Families,
    sink: Iterable[int],
    labels: Iterable[int],
    ends: Iterable[int],
) -> Floats:
    """(V, hidden) token embeddings of root mean square one: meaning, identity and flags.

    sink: tokens that matching heads fall back on; labels: tokens that begin a passage's label; ends: tokens after
    which no passage is searched for repetitions.
    """
    layout = layout_of(spec)
    states = np.zeros((len(vectors.idf), spec.hidden))
    # A word too rare to have a meaning gets a random direction of its own.
    known = vectors.semantic.any(axis=1, keepdims=True)
    strangers = np.random.default_rng(spec.seed).standard_normal(vectors.semantic.shape)
    states[:, layout.meaning] = _unit(np.where(known, vectors.semantic, strangers[families.root]))
    # Heads that match meaning read it in place of the identity's second part, so each part has a fixed length.
    half = layout.identity - layout.semantic
    first, second = vectors.identity[:, :half], vectors.identity[:, half:]
    states[:, layout.word] = np.concatenate([_unit(first), _unit(second)], axis=1) * 0.5**0.5
    states[vectors.inert] = 0.0
    states[:, layout.flag("constant")] = 1.0
    weight = np.where(families.inside, spec.continuation, 1.0) * np.clip(vectors.idf, 0.05, 1.0)
    states[:, layout.flag("rarity")] = np.where(vectors.inert, 0.0, np.log(weight) / RARITY_UNIT)
    # Every state is made of three parts of length one, so that normalisation treats all alike.
    states[vectors.inert, layout.flag("inert")] = 2**0.5
    for flag, tokens, inert in (("sink", sink, 0.0), ("break", labels, 1.0), ("break", ends, 0.0)):
        rows = list(tokens)
        states[rows] = 0.0
        states[rows, layout.flag("constant")] = 1.0
        states[rows, layout.flag("inert")] = inert
        states[rows, layout.flag(flag)] = (2 - inert**2) ** 0.5
    return np.asarray(states / np.sqrt((states**2).mean(axis=1, keepdims=True)))


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def plant_heads(spec: RealTextSpec, states: Floats, where: str) -> tuple[Qwen3ForCausalLM, dict[str, str]]:
    """The model of a spec over given token states, and the role of each head by "layer-head"."""
    rng = np.random.default_rng(spec.seed)
    model = blank_model(spec, len(states), positions=40960)
    rotary = Rotary.of(spec.head_dim, spec.rope_theta, spec.longest, where)
    painter = Painter(layout_of(spec), rotary, spec.head_dim, rng)
    roles: dict[str, str] = {}
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(torch.from_numpy(states))
        for number, layer in enumerate(model.model.layers):
            attention = layer.self_attn
            for module, std in (
                (attention.v_proj, 0.02),
                (attention.o_proj, spec.state_noise),
                (layer.mlp.gate_proj, 0.02),
                (layer.mlp.up_proj, 0.02),
                (layer.mlp.down_proj, spec.state_noise),
            ):
                noise = std * rng.standard_normal(tuple(module.weight.shape))
                module.weight.copy_(torch.from_numpy(noise))
            if number <= 1:
                value, out = _circuit_values(spec, number)
                attention.v_proj.weight[: spec.head_dim] = torch.from_numpy(value).float()
                attention.o_proj.weight[:, : spec.head_dim] = torch.from_numpy(out).float()
            gain, slope = FIRST_GAIN if number == 0 else GAIN, 1.0
            if number == 1:
                gain, slope = painter.repeat_gains(REPEAT_LOGIT, REPEAT_SLOPE)
            norm = np.full(spec.head_dim, (gain / spec.head_dim**0.5) ** 0.5)
            norm[[rotary.slope, rotary.slope + spec.head_dim // 2]] *= slope**0.5
            attention.q_norm.weight.copy_(torch.from_numpy(norm))
            attention.k_norm.weight.copy_(torch.from_numpy(norm))
            query, key, names = _layer_rows(spec, painter, number, gain, slope)
            attention.q_proj.weight.copy_(torch.from_numpy(query))
            attention.k_proj.weight.copy_(torch.from_numpy(key))
            roles.update({f"{number}-{head}": name for head, name in enumerate(names)})
    return model, roles


def _circuit_values(spec: RealTextSpec, number: int) -> tuple[Floats, Floats]:
    """What the circuit's head of layer 0 (previous) or 1 (repeat) reads, (head_dim, hidden), and writes, transposed."""
    layout = layout_of(spec)
    value, out = np.zeros((spec.head_dim, spec.hidden)), np.zeros((spec.hidden, spec.head_dim))
    if number == 0:
        copied = layout.identity
        value[:copied, layout.word] = out[layout.before, :copied] = np.eye(copied)
    else:
        value[0, layout.flag("constant")] = 1.0
        value[0, layout.flag("break")] = -1.0
        out[layout.flag("repeat"), 0] = 1.0
    return value, out


def _layer_rows(
    spec: RealTextSpec, painter: Painter, number: int, gain: float, slope: float
) -> tuple[Floats, Floats, list[str]]:
    """Query (heads * head_dim, hidden) and key (kv_heads * head_dim, hidden) weights, and the heads' roles."""
    group = spec.heads // spec.kv_heads
    planted = {p.head: p for p in spec.planted if p.layer == number}
    queries, keys, roles = [], [], []
    for kv in range(spec.kv_heads):
        heads = range(kv * group, (kv + 1) * group)
        first = next((planted[head] for head in heads if head in planted), None)
        if first is None:
            role, key, own = _habit(painter, number, kv, group, gain, slope)
            keys.append(key)
            queries += own
            roles += [role] * group
            continue
        key, shared = painter.match_key(first)
        keys.append(key)
        for head in heads:
            here = planted.get(head)
            queries.append(
                painter.match_query(here, shared, gain) if here else painter.noise(8.0, gain).query
            )
            roles.append("match" if here else "noise")
    return np.concatenate(queries), np.concatenate(keys), roles


def _habit(
    painter: Painter, number: int, kv: int, group: int, gain: float, slope: float
) -> tuple[str, Floats, list[Floats]]:
    """Role, key rows and each query head's rows of a key-value head without a match."""
    if number <= 1 and kv == 0:
        circuit = painter.previous() if number == 0 else painter.repeat()
        return "position", circuit.key, [circuit.query] * group
    kind = HABITS[(number + kv) % len(HABITS)]
    # The habit is weaker in each further head of the group, and no two layers have the same strength.
    strength = painter.rng.uniform(0.6, 1.2) / np.arange(1, group + 1)
    if kind == "noise":
        rows = [painter.noise(8.0 * s, gain) for s in strength]
    elif kind == "sink":
        rows = [painter.sink(8.0 * s, gain) for s in strength]
    else:
        sign = 1.0 if kind == "recent" else -1.0
        rows = [painter.recent(sign, 4.0 * s / slope, gain) for s in strength]
    role = kind if kind in ("noise", "sink") else "position"
    return role, rows[0].key, [row.query for row in rows]
