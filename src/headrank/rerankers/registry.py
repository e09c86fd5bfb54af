"""The methods on a frozen backbone, by name: which head sets each needs, and how it is put together.

The fair ones share one prompt and one forward pass per query; the faithful ones have prompts of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from headrank.backbone import Backbone
from headrank.errors import InputError
from headrank.heads import HeadSet
from headrank.rerankers.core import core
from headrank.rerankers.headrank import headrank
from headrank.rerankers.icr import icr
from headrank.rerankers.method import Method
from headrank.rerankers.qrhead import qrhead
from headrank.settings import Settings

Heads = Mapping[str, HeadSet]


@dataclass(frozen=True)
class Entry:
    """head_sets: names of the head sets that the method needs. build: from (backbone, head sets, settings)."""

    head_sets: tuple[str, ...]
    build: Callable[[Backbone, Heads, Settings], Method]


FAIR: dict[str, Entry] = {
    "icr": Entry((), lambda backbone, heads, settings: icr(backbone)),
    "qrhead": Entry(("qrhead",), lambda backbone, heads, settings: qrhead(heads["qrhead"])),
    "core": Entry(("core",), lambda backbone, heads, settings: core(heads["core"])),
    "qrhead-own": Entry(
        ("qrhead-own",), lambda backbone, heads, settings: qrhead(heads["qrhead-own"], "qrhead-own")
    ),
    "core-own": Entry(("core-own",), lambda backbone, heads, settings: core(heads["core-own"], "core-own")),
    "headrank-untrained": Entry(
        ("headrank",),
        lambda backbone, heads, settings: headrank(heads["headrank"], settings, "headrank-untrained"),
    ),
}
FAITHFUL: dict[str, tuple[str, ...]] = {
    "icr-faithful": (),
    "qrhead-faithful": ("qrhead",),
    "core-faithful": ("core",),
}


def head_sets(names: Sequence[str]) -> list[str]:
    """The head sets that some methods need together, each once. Raises InputError for an unknown method."""
    needed: list[str] = []
    for name in names:
        if name not in FAIR and name not in FAITHFUL:
            known = ", ".join([*FAIR, *FAITHFUL])
            raise InputError(f"methods: {name!r} is unknown; known: {known}")
        needed += FAIR[name].head_sets if name in FAIR else FAITHFUL[name]
    return list(dict.fromkeys(needed))


def build(names: Sequence[str], backbone: Backbone, heads: Heads, settings: Settings) -> list[Method]:
    """The fair methods among ``names``, in their order."""
    return [FAIR[name].build(backbone, heads, settings) for name in names if name in FAIR]
