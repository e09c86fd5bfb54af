"""The methods on a frozen backbone, by name: which head sets each needs, and how it is put together.

The fair ones share one prompt and one forward pass per query; the faithful ones have prompts of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from headrank.engine.backbone import Backbone
from headrank.errors import InputError
from headrank.heads.head_set import HeadSet
from headrank.heads.routing.router import Router
from headrank.prompts.builder import PromptBuilder
from headrank.rerankers.core import core
from headrank.rerankers.headrank import headrank
from headrank.rerankers.icr import STRATEGIES, icr, selective_icr
from headrank.rerankers.method import Method
from headrank.rerankers.qrhead import qrhead
from headrank.rerankers.ratio import ratio
from headrank.rerankers.reattn import reattn
from headrank.rerankers.routehead import routehead
from headrank.settings import Settings


@dataclass(frozen=True)
class Parts:
    """What methods are put together from; builder: of the prompts that they share; router: RouteHead's."""

    backbone: Backbone
    builder: PromptBuilder
    heads: Mapping[str, HeadSet]
    settings: Settings
    router: Router | None = None


@dataclass(frozen=True)
class Entry:
    """head_sets: names of the head sets that the method needs."""

    head_sets: tuple[str, ...]
    build: Callable[[Parts], Method]


def _icr(name: str, parts: Parts) -> Method:
    return icr(parts.backbone, name)


def _qrhead(name: str, parts: Parts) -> Method:
    return qrhead(parts.heads[name], name)


def _core(name: str, parts: Parts) -> Method:
    return core(parts.heads[name], name)


def _selective(name: str, parts: Parts) -> Method:
    return selective_icr(parts.heads[name], name)


def _headrank(name: str, parts: Parts) -> Method:
    return headrank(parts.heads["headrank"], parts.settings, name)


def _reattn(base: str, parts: Parts) -> Method:
    return reattn(FAIR[base].build(parts), parts.builder, parts.settings.baselines.reattn_entropy)


def _ratio(base: str, parts: Parts) -> Method:
    heads = parts.heads[base].heads if FAIR[base].head_sets else parts.backbone.all_heads()
    return ratio(heads, parts.settings, f"{base}-ratio")


def _routehead(parts: Parts) -> Method:
    if parts.router is None:
        raise InputError("methods: 'routehead' needs a trained router")
    parts.router.heads.check(parts.backbone.depth, parts.backbone.n_heads, "routehead's router")
    return routehead(parts.router, parts.settings)


FAIR: dict[str, Entry] = {
    **{name: Entry((), partial(_icr, name)) for name in STRATEGIES},
    "selective-icr": Entry(("selective-icr",), partial(_selective, "selective-icr")),
    **{name: Entry((name,), partial(_qrhead, name)) for name in ("qrhead", "qrhead-ndcg", "qrhead-own")},
    **{name: Entry((name,), partial(_core, name)) for name in ("core", "core-pruned", "core-own")},
    "routehead": Entry((), _routehead),
    "headrank-untrained": Entry(("headrank",), partial(_headrank, "headrank-untrained")),
}
FAIR |= {
    f"reattn-{base}": Entry(FAIR[base].head_sets, partial(_reattn, base))
    for base in ("icr", "qrhead", "core")
}
FAIR |= {
    f"{base}-ratio": Entry(FAIR[base].head_sets, partial(_ratio, base))
    for base in ("icr", "qrhead", "qrhead-ndcg", "core")
}
FAITHFUL: dict[str, tuple[str, ...]] = {
    "icr-faithful": (),
    "selective-icr-faithful": ("selective-icr",),
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


def build(names: Sequence[str], parts: Parts) -> list[Method]:
    """The fair methods among ``names``, in their order."""
    return [FAIR[name].build(parts) for name in names if name in FAIR]
