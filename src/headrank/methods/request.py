"""Which method is asked for, and what goes with it: an adapter, heads, a chat frame, an order of the prompt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headrank.errors import UsageError, suggestion
from headrank.methods.entry import NOTHING, RELEASED, Asked, Frozen, Released, Trained
from headrank.methods.table import METHODS


@dataclass(frozen=True)
class Request:
    """What a caller gives for a method. Each is None where it is not given.

    method: by its name in the table of methods, or what an adapter was trained as; needed without an adapter. adapter:
    folder that training or ``headrank export`` wrote, or an id on the hub (``headrank.methods.ready.located`` makes a
    folder of it). backbone: folder, GGUF file or hub id. revision: commit of a hub model. heads: file of a head set, or
    of a router. family: chat frame. order: of the candidates in the prompt. truncate_words, truncate_tokens: cut
    passages to this many words or, if tokens are given, to this many tokens.
    """

    method: str | None = None
    adapter: str | None = None
    backbone: str | None = None
    revision: str | None = None
    heads: str | None = None
    family: str | None = None
    order: str | None = None
    truncate_words: int | None = None
    truncate_tokens: int | None = None
    # How the caller spells the name of an option, such as --truncate-words.
    spelt: Callable[[str], str] = str

    @property
    def lengths(self) -> dict[str, int | None]:
        """What is said about the length of passages, as keys of ``headrank.prompt``."""
        if self.truncate_tokens is not None:
            return {"truncate_tokens": self.truncate_tokens}
        if self.truncate_words is not None:
            return {"truncate_words": self.truncate_words, "truncate_tokens": None}
        return {}

    def check(self) -> None:
        """Raise UsageError for what does not go together, before anything is read."""
        spelt = self.spelt
        name = self.method or "headrank"
        entry = METHODS.get(name)
        if entry is None and self.adapter:
            # A variant of a study; whether it is the adapter's own is known once that is read.
            entry = METHODS["headrank"]
        where = f"{spelt('method')} {name}"
        if entry is None or entry.studies_only:
            known = [known for known, entry in METHODS.items() if not entry.studies_only]
            raise UsageError(f"{where}: unknown; {suggestion(name, known)}; `headrank methods` lists them")
        trained, writes = isinstance(entry, Trained), isinstance(entry, Asked)
        if trained and not self.adapter:
            raise UsageError(f"{where}: needs {spelt('adapter')}, the folder that training wrote")
        if not trained and self.adapter:
            raise UsageError(f"{where}: is not trained; leave {spelt('adapter')} out")
        if not trained and not self.backbone:
            raise UsageError(f"{where}: needs {spelt('backbone')}")
        if trained and self.family:
            raise UsageError(
                f"{spelt('family')}: an adapter keeps the chat frame that it was trained with; leave"
                f" {spelt('family')} out"
            )
        if self.family and writes:
            raise UsageError(f"{where}: has a chat template of its own; leave {spelt('family')} out")
        if self.order and (writes or isinstance(entry, Released)):
            raise UsageError(f"{where}: has an order of its own; leave {spelt('order')} out")
        if self.truncate_words and isinstance(entry, Released):
            raise UsageError(
                f"{where}: cuts passages to as many words as its authors do; take {spelt('truncate_tokens')}, or"
                f" {name.removesuffix(RELEASED)}"
            )
        needs = entry.needs if isinstance(entry, Frozen) else NOTHING
        if needs != NOTHING and not self.heads:
            raise UsageError(f"{where}: needs {spelt('heads')}, {needs}")
        if self.heads and needs == NOTHING:
            raise UsageError(f"{where}: takes no {spelt('heads')}")
