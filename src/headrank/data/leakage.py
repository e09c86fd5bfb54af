"""Queries that heads are chosen or trained on and that are test queries too, or nearly.

Two queries count as one if they have the same letters and digits in the same order, or the same words in any order;
case, width, punctuation and invisible characters do not count. They are nearly one if their sets of words, without the
33 English function words that BM25 leaves out, have a Jaccard similarity of at least ``NEAR``. Where a script has no
blanks between words, each character is a word. Between 206,000 pairs of different queries of TREC DL, Cranfield, CISI
and Vaswani the similarity is at most 0.67.
"""

from __future__ import annotations

import dataclasses
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from headrank.data.atomic import write_json
from headrank.data.json_files import read_object
from headrank.errors import InputError
from headrank.specs import read_value
from headrank.writing_systems import UNDIVIDED

Action = Literal["stop", "leave-out", "allow"]
NAME = "leakage.json"
# Shared words by all words of two queries, from which on one is a near-duplicate of the other.
NEAR = 0.75
KEYS = {"training": "train_on", "detection": "detect_on"}
# Drawn as nothing, though Unicode does not list them as format characters: joiners, fillers, variation selectors.
_INVISIBLE = {
    *map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0)),
    *map(chr, range(0xFE00, 0xFE10)),
}


@dataclass(frozen=True)
class Leak:
    """A query of a pool and a test query that are one, or nearly.

    how: "same text", "same words" or "near". similarity: Jaccard of their words, 1 unless near.
    """

    pool: str
    collection: str
    qid: str
    query: str
    benchmark: str
    test_qid: str
    test_query: str
    how: str
    similarity: float


def find_leaks(
    pools: Mapping[str, Mapping[str, Mapping[str, str]]], tests: Mapping[str, Mapping[str, str]]
) -> list[Leak]:
    """All leaks, in the order of the pools and tests.

    pools: pool -> collection -> qid -> text. tests: benchmark -> qid -> text.
    """
    known = _Known(tests)
    return [
        Leak(pool, collection, qid, text, *found)
        for pool, collections in pools.items()
        for collection, queries in collections.items()
        for qid, text in queries.items()
        for found in known.matches(text)
    ]


def check_leaks(leaks: Sequence[Leak], sizes: Mapping[str, int], action: Action) -> None:
    """Raise InputError if a study must not go on: at any leak with "stop", or if no query of a pool would be left.

    sizes: pool -> number of its queries.
    """
    for pool, size in sizes.items():
        leaked = left_out(leaks, pool)
        if not leaked or action == "allow" or (action == "leave-out" and len(leaked) < size):
            continue
        first = next(leak for leak in leaks if leak.pool == pool)
        example = (
            f"{first.collection}'s {first.qid} {first.query!r} is {first.benchmark}'s {first.test_qid}"
            f" {first.test_query!r} ({first.how}, {first.similarity:.2f})"
        )
        if action == "leave-out":
            told = "leakage: leave-out leaves none to learn from; name other collections"
        else:
            told = (
                "name other collections, or set leakage: leave-out to leave these queries out, or leakage: allow to"
                " keep them and have every table say so"
            )
        raise InputError(
            f"{KEYS[pool]}: {len(leaked)} of {size} {pool} queries are test queries too, or nearly: {example}; {told}"
        )


def left_out(leaks: Sequence[Leak], pool: str) -> set[str]:
    """The qids of a pool's queries that leaked."""
    return {leak.qid for leak in leaks if leak.pool == pool}


def write_leaks(path: str | os.PathLike[str], leaks: Sequence[Leak], action: Action) -> None:
    """Write what was found, how it was looked for, and what the study does about it."""
    found = [dataclasses.asdict(leak) for leak in leaks]
    measure = "Jaccard similarity of the sets of words without English function words"
    write_json(path, {"action": action, "measure": measure, "near": NEAR, "leaks": found})


def read_leaks(path: str | os.PathLike[str]) -> tuple[list[Leak], Action]:
    """What ``write_leaks`` wrote; InputError for anything else."""
    content = read_object(path, "record of leakage")
    try:
        found = read_value(tuple[Leak, ...], content.get("leaks"), "leaks")
        action: Action = read_value(Action, content.get("action"), "action")
    except InputError as error:
        raise InputError(f"{path}: no readable record of leakage ({error}); make it anew") from None
    return list(found), action


def note(leaks: Sequence[Leak], action: Action) -> str:
    """A sentence for captions; empty if nothing leaked."""
    pools = {pool: len(left_out(leaks, pool)) for pool in KEYS}
    told = " and ".join(f"{number} {pool}" for pool, number in pools.items() if number)
    done = {"allow": "kept", "leave-out": "left out"}.get(action, "not allowed")
    several = "queries" if sum(pools.values()) > 1 else "query"
    return told and (
        f"Leakage between training and test: {told} {several}, the same as test queries or nearly, {done} ({NAME})."
    )


def words(text: str) -> list[str]:
    """The words of a text in lower case and plain width, without punctuation and invisible characters."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    found = "".join(map(_character, plain)).split()
    # A text of signs alone is compared as it is.
    return found or plain.split()


def _character(one: str) -> str:
    kind = unicodedata.category(one)
    if kind == "Cf" or one in _INVISIBLE:
        return ""
    if kind[0] not in "LMN":
        return " "
    return f" {one} " if UNDIVIDED.match(one) else one


class _Known:
    """The test queries by their words."""

    def __init__(self, tests: Mapping[str, Mapping[str, str]]) -> None:
        from headrank.process.bm25s_without_jax import bm25s

        self._function = frozenset(bm25s.stopwords.STOPWORDS_EN)
        self._tests = [(name, qid, text) for name, queries in tests.items() for qid, text in queries.items()]
        self._all = [words(text) for _, _, text in self._tests]
        self._content = list(map(self._without_function, self._all))
        self._holding: dict[str, list[int]] = defaultdict(list)
        self._spelt: dict[str, list[int]] = defaultdict(list)
        for number, (every, content) in enumerate(zip(self._all, self._content, strict=True)):
            self._spelt["".join(every)].append(number)
            for word in content:
                self._holding[word].append(number)

    def matches(self, text: str) -> Iterator[tuple[str, str, str, str, float]]:
        """(benchmark, qid, text, how, similarity) of every test query that the text is, or nearly is."""
        every = words(text)
        content = self._without_function(every)
        spelt = set(self._spelt.get("".join(every), ()))
        shared = Counter(number for word in content for number in self._holding.get(word, ()))
        for number in sorted(spelt | shared.keys()):
            if number in spelt:
                yield *self._tests[number], "same text", 1.0
            elif set(every) == set(self._all[number]):
                yield *self._tests[number], "same words", 1.0
            else:
                common = shared[number]
                similarity = common / (len(content) + len(self._content[number]) - common)
                if similarity >= NEAR:
                    yield *self._tests[number], "near", similarity

    def _without_function(self, every: Sequence[str]) -> frozenset[str]:
        return frozenset(every) - self._function or frozenset(every)
