"""Which model something was made with: what is found on one model must never be used on another without a word."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import PurePath

from headrank.errors import InputError

logger = logging.getLogger(__name__)
# Pairs of names that were reported: an artefact is checked wherever it is used, and once is enough to say it.
_reported: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class Identity:
    """A model as it was loaded, or as an artefact's file records it.

    name: folder, GGUF file or hub id. n_layers, n_heads: of the whole checkpoint, query heads per layer; None where a
    file of an earlier version does not say. fingerprint: ``headrank.engine.fingerprint``; None where it is not known.
    former: fingerprints that earlier versions recorded of the same files.
    """

    name: str
    n_layers: int | None
    n_heads: int | None
    fingerprint: str | None = None
    former: tuple[str, ...] = ()

    def check(self, used: Identity, what: str, made: str, remedy: str) -> None:
        """Refuse to use on one model what was made with another.

        self: as recorded; used: the model at hand. what: names the artefact, and its file if it has one. made: how the
        artefact came from its model ("trained on"). remedy: what to do instead. Shapes are compared, and fingerprints
        where both are known. Where they are not, as in files of earlier versions, another name is only reported: the
        model may have moved.
        """
        why = None
        for mine, theirs in ((self.n_layers, used.n_layers), (self.n_heads, used.n_heads)):
            if mine is not None and theirs is not None and mine != theirs:
                why = f"{self._shape()}, not {used._shape()}"
        if not why and self.fingerprint and used.fingerprint:
            if self.fingerprint not in (used.fingerprint, *used.former):
                why = "their configuration or weights differ"
        elif not why and PurePath(self.name).name != PurePath(used.name).name:
            pair = (self.name, used.name)
            if pair in _reported:
                return
            _reported.add(pair)
            logger.warning(
                "%s: %s %s, whose fingerprint is not recorded; make sure that %s is the same model",
                *(what, made, self.name, used.name),
            )
        if why:
            whose = "an earlier state of it" if self.name == used.name else self.name
            raise InputError(f"{what}: {made} another backbone than {used.name}: {whose} ({why}); {remedy}")

    def _shape(self) -> str:
        if self.n_layers is None or self.n_heads is None:
            return f"{self.n_layers or self.n_heads} {'layers' if self.n_layers else 'heads'}"
        return f"{self.n_layers} layers of {self.n_heads} heads"
