"""The one table of methods, in the order in which it is shown; lists of methods elsewhere are derived from it.

Every module of ``headrank.methods.entries`` is found automatically; it has ``METHODS``, its entries, and ``PLACE``,
their position among those of their kind.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from headrank.errors import UsageError
from headrank.methods import entries
from headrank.methods.entry import RELEASED, Asked, Criterion, Entry, Frozen, Trained

if TYPE_CHECKING:
    from headrank.heads.head_set import HeadSet
    from headrank.settings import Settings

KINDS = {
    "lexical": "First stage",
    "frozen": "Decoding-free, frozen",
    "trained": "Decoding-free, trained",
    "generative": "Generative, zero-shot",
    "supervised": "Supervised",
}


def _discovered() -> list[tuple[Entry, str]]:
    """All entries, each with the module that describes it."""
    names = [f"{entries.__name__}.{module.name}" for module in pkgutil.iter_modules(entries.__path__)]
    modules = sorted(map(import_module, names), key=lambda module: (module.PLACE, module.__name__))
    kinds = list(KINDS)
    found = [(entry, module.__name__) for module in modules for entry in module.METHODS]
    return sorted(found, key=lambda pair: kinds.index(pair[0].kind))


_FOUND = _discovered()
METHODS: dict[str, Entry] = {entry.name: entry for entry, _ in _FOUND}
FROZEN: dict[str, Frozen] = {name: entry for name, entry in METHODS.items() if isinstance(entry, Frozen)}
TRAINED: dict[str, Trained] = {name: entry for name, entry in METHODS.items() if isinstance(entry, Trained)}
ASKED: dict[str, Asked] = {name: entry for name, entry in METHODS.items() if isinstance(entry, Asked)}
# Those whose answer is a text that a program must read.
WRITING = tuple(name for name, entry in ASKED.items() if entry.writes)
CRITERIA: dict[str, Criterion] = {
    entry.criterion.name: entry.criterion for entry in METHODS.values() if entry.criterion
}
# Head set -> the method whose entry says how it is chosen.
HEAD_SETS: dict[str, Frozen] = {
    entry.head_set: entry for entry in FROZEN.values() if entry.head_set and entry.criterion
}
_MODULES = {entry.name: module for entry, module in _FOUND}
_CHOOSING = {entry.criterion.name: module for entry, module in _FOUND if entry.criterion}


def kind_of(method: str) -> str:
    """The kind of a method; for ``X-faithful`` that of X, and for any other name ``trained``: a variant of HeadRank."""
    entry = METHODS.get(method) or METHODS.get(method.removesuffix(RELEASED))
    return entry.kind if entry else "trained"


def trained_as(heads: HeadSet, settings: Settings) -> str:
    """The trained method that an adapter is: the first whose heads and settings it has, or else HeadRank."""
    fitting = (name for name, entry in TRAINED.items() if entry.fits and entry.fits(heads, settings))
    return next(fitting, "headrank")


def frozen(name: str) -> Frozen:
    """The frozen-backbone method of this name. Raises InputError when there is none."""
    if name not in FROZEN:
        raise UsageError(f"methods: {name!r} is unknown; known: {', '.join(FROZEN)}")
    return FROZEN[name]


def head_sets(names: Iterable[str]) -> list[str]:
    """The head sets that some methods need together, each once. Raises InputError for an unknown method."""
    found = [head_set for name in names if (head_set := frozen(name).head_set)]
    return list(dict.fromkeys(found))


def modules_of(names: Iterable[str]) -> list[str]:
    """The modules that describe these methods, or say how these criteria choose heads."""
    return list(dict.fromkeys(_MODULES.get(name) or _CHOOSING[name] for name in names))
