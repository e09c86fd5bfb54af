"""A made-up page of explanations, hostile passages among them, which needs no model."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from headrank.explain.explanation import Explanation, Part
from headrank.explain.page_data import State, Told, page_data

HEADS = ((6, 1), (4, 2), (9, 3))
HOSTILE = (
    "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 2'>",
    "before <!-- <script> and ]]> &amp; &#60; $data ${style} after",
    "turned \u202egnorw\u202c and \u2066inside\u2069 \u200f \x00 \x07 \x1b[31m end",
    "emoji 👩\u200d🚀 🏳️\u200d🌈 e\u0301 \u2028 \u2029 \ufeff \U000e0041 end",
    "שלום עולם, this is עברית mixed with English. مرحبا",
    "天空是蓝色的，因为阳光被散射。",
    "x" * 400,
)
SENTENCE = "the blue light of the sun is scattered by molecules in the air far more often than red light"


def made_up(
    texts: list[str], seed: int, logarithm: bool = False, negative: bool = True
) -> dict[str, Explanation]:
    """Document id -> explanation, one token for each word, point and blank line."""
    rng = np.random.default_rng(seed)
    found = {}
    for position, text in enumerate(texts):
        label: list[tuple[Part, int, int, str]] = [("label", 0, 0, f"[{position + 1}]")]
        spans = [m.span() for m in re.finditer(r"\s*[^\W_]+|\s*[\W_]", text)]
        tokens = label + [("text", a, b, text[a:b]) for a, b in spans]
        attention = rng.exponential(0.01, (len(HEADS), len(tokens))) ** 2
        null = rng.exponential(0.005, attention.shape) ** 2 if negative else np.zeros_like(attention)
        weights = attention if logarithm else attention - null
        left_out = np.zeros(weights.shape, dtype=bool)
        left_out[:, 3:4] = not logarithm
        weights = np.where(left_out, 0, weights)
        rest = np.full(len(HEADS), 1e-6 if logarithm else 0)
        values = weights.sum(axis=1) + rest
        found[f"d{position}"] = Explanation(
            text,
            "words that were cut off " * 3 if position == 1 else "",
            position,
            HEADS,
            tuple(tokens),
            weights,
            attention,
            null,
            left_out,
            rest,
            logarithm,
            float((np.log(values) if logarithm else values).sum()),
        )
    return found


def made_up_data(passages: int = 40, words: int = 100, logarithm: bool = False) -> dict[str, Any]:
    """The data of a page of two states, with grades."""
    rng = np.random.default_rng(5)
    plain = [" ".join(rng.choice(SENTENCE.split(), words)) + "." for _ in range(passages - len(HOSTILE))]
    texts = [*plain[:2], *HOSTILE, *plain[2:]][:passages]
    states = []
    for seed, name in enumerate(("before training", "after training")):
        explanations = made_up(texts, seed, logarithm)
        falling = sorted(explanations, key=lambda docid: -explanations[docid].score)
        ranks = {docid: rank for rank, docid in enumerate(falling, 1)}
        states.append(State(name, explanations, ranks))
    grades = {f"d{i}": i % 4 for i in range(0, passages, 2)}
    told = Told("Why is the sky </title> blue?", "q1", "HeadRank", "a model", ["One sentence."], ["A note."])
    order = [f"d{i}" for i in range(passages)]
    return page_data(told, states, order, grades, 3)
