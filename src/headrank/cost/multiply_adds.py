"""What a method costs by arithmetic: layers, tokens, forward passes and multiply-adds of one query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headrank.specs import Count, Natural, read_value


@dataclass(frozen=True)
class Shape:
    """The sizes of a decoder that its multiply-adds depend on."""

    layers: Count
    hidden: Count
    intermediate: Count
    heads: Count
    kv_heads: Count
    head_dim: Count
    vocabulary: Natural = 0

    @classmethod
    def of(cls, config: dict[str, Any]) -> Shape:
        """From a Hugging Face ``config.json``; InputError names a size that is missing or no whole number."""

        def size(name: str, default: int | None = None) -> int:
            value = config.get(name)
            found: int = read_value(Count, default if value is None else value, name)
            return found

        heads, hidden = size("num_attention_heads"), size("hidden_size")
        return cls(
            size("num_hidden_layers"),
            hidden,
            size("intermediate_size"),
            heads,
            size("num_key_value_heads", heads),
            size("head_dim", max(1, hidden // heads)),
            read_value(
                Natural, 0 if config.get("vocab_size") is None else config["vocab_size"], "vocab_size"
            ),
        )


def layer_operations(shape: Shape, tokens: float, parts: float = 1) -> float:
    """Multiply-adds of one whole layer over a prompt: projections, causal attention and a gated MLP.

    parts: the number of pieces of the prompt that do not see each other (CompRank's passages).
    """
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    projections = tokens * shape.hidden * (2 * q + 2 * kv)
    # Causal: each token attends to half of the others on average, once for the logits and once for the values.
    attention = tokens * (tokens / parts + 1) / 2 * q * 2
    return projections + attention + tokens * 3 * shape.hidden * shape.intermediate


def deepest_layer_operations(shape: Shape, tokens: float, rows: float, heads: int) -> float:
    """Multiply-adds in the layer that is read last: keys of all tokens, queries of the read rows, and those rows."""
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return tokens * shape.hidden * kv + rows * shape.hidden * q + rows * tokens * heads * shape.head_dim


def truncated_operations(
    shape: Shape, depth: int, tokens: float, rows: float, heads: int, parts: float = 1
) -> float:
    """Multiply-adds of a pass that ends inside layer ``depth`` (from 1), reading ``rows`` query rows of its heads."""
    whole = (depth - 1) * layer_operations(shape, tokens, parts)
    return whole + deepest_layer_operations(shape, tokens, rows, heads)


def full_operations(shape: Shape, tokens: float) -> float:
    """Multiply-adds of a full-depth pass without the LM head."""
    return shape.layers * layer_operations(shape, tokens)
