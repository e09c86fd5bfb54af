"""Sizes by name."""

from __future__ import annotations

import pytest

from headrank.cost.model_shapes import SHAPES, published_shape


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("Qwen/Qwen3-0.6B", "qwen3-0.6b"),
        ("Qwen/Qwen3-1.7B-Base", "qwen3-1.7b"),
        ("Qwen/Qwen3-Reranker-4B", "qwen3-4b"),
        ("qwen3-4b", "qwen3-4b"),
    ],
)
def test_models_of_the_hub_are_known_by_their_names(identifier: str, name: str):
    assert published_shape(identifier) == SHAPES[name]


@pytest.mark.parametrize(
    "identifier", ["Qwen/Qwen3-8B", "Qwen/Qwen2.5-0.5B", "quick", "x/Qwen3-4B-Instruct-2507"]
)
def test_others_are_not_guessed(identifier: str):
    assert published_shape(identifier) is None
