"""Listwise answers: what they say, and whether they keep to the format (two rules, docs/methods.md)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_BRACKETED = re.compile(r"\[(\d+)\]")
_NUMBER = re.compile(r"\d+")
_WELL_FORMED = re.compile(r"\s*\[\d+\](\s*>\s*\[\d+\])*\s*")
# A thought ends with its closing tag, whose opening one may be part of the prompt, or not at all.
_THOUGHT = re.compile(r"^.*</think(ing)?>|<think(ing)?>.*$", re.DOTALL)
# What begins and ends it, among which some tokenizers have control tokens.
THOUGHT = ("<think>", "</think>", "<thinking>", "</thinking>")
# No window has a number of so many digits.
_DIGITS = 6


@dataclass(frozen=True)
class Order:
    """order: the passages of a window, by number from 0. complete: the answer names each exactly once and no other, in
    brackets (the rule of ICR's repository). well_formed: it is "[a] > [b] > ..." and nothing else (rank_llm's rule).
    usable: it decides the place of at least one passage.
    """

    order: tuple[int, ...]
    complete: bool
    well_formed: bool
    usable: bool


def read_order(answer: str, count: int, invalid: str = "mend") -> Order:
    """Read an answer over ``count`` passages; what the model thought before it is no part of it.

    ``mend`` drops repeated numbers and those out of range and appends missing passages in input order. Where numbers in
    brackets do not name all passages, it reads all numbers from the first bracketed one on or, if none is, from the
    beginning, as rank_llm does ("2 > 1 > 3", "[2, 1, 3]"). ``ignore`` keeps the input order of any answer that is not
    complete.
    """
    answer = _THOUGHT.sub("", answer)
    numbers = _numbers(_BRACKETED.findall(answer))
    complete = sorted(numbers) == list(range(count))
    if not complete:
        begin = _BRACKETED.search(answer)
        plain = "".join(str(unicodedata.digit(c, c)) for c in answer[begin.start() if begin else 0 :])
        numbers = _numbers(_NUMBER.findall(plain))
    known = list(dict.fromkeys(number for number in numbers if 0 <= number < count))
    if invalid == "ignore" and not complete:
        known = []
    order = (*known, *(i for i in range(count) if i not in set(known)))
    return Order(order, complete, _WELL_FORMED.fullmatch(answer) is not None, bool(known))


def _numbers(found: list[str]) -> list[int]:
    """Passages from 0 by their numbers from 1; -1 for a number that is too long to be one."""
    return [int(digits) - 1 if len(digits) <= _DIGITS else -1 for digits in found]
