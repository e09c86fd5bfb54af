"""The columns in which a page shows heads: one each, or one for each layer where there are too many to pick from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headrank.heads.head_set import Head

# More checkboxes than this are no help, and a page of all heads of a model would have tens of megabytes.
MOST = 24


@dataclass(frozen=True)
class Column:
    """name: as a page shows it. heads: places in the explanation's heads."""

    name: str
    heads: tuple[int, ...]


def columns_of(heads: Sequence[Head]) -> list[Column]:
    """One column for each head, in the order given, or for each layer if there are more than ``MOST``."""
    if len(heads) <= MOST:
        return [Column(f"{layer}-{head}", (place,)) for place, (layer, head) in enumerate(heads)]
    layers = sorted({layer for layer, _ in heads})
    members = {layer: [p for p, (own, _) in enumerate(heads) if own == layer] for layer in layers}
    return [Column(f"layer {layer}", tuple(places)) for layer, places in members.items()]
