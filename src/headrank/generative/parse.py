"""Listwise answers: what they say, and whether they keep to the format (two rules, docs/methods.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"\[(\d+)\]")
_WELL_FORMED = re.compile(r"\s*\[\d+\](\s*>\s*\[\d+\])*\s*")


@dataclass(frozen=True)
class Order:
    """order: the passages of a window, by number from 0. complete: the answer names each exactly once and no other
    (the rule of ICR's repository). well_formed: it is "[a] > [b] > ..." and nothing else (rank_llm's rule).
    """

    order: tuple[int, ...]
    complete: bool
    well_formed: bool


def read_order(answer: str, count: int, invalid: str = "mend") -> Order:
    """Read an answer over ``count`` passages.

    ``mend`` drops repeated numbers and those out of range and appends missing passages in input order; ``ignore`` keeps
    the input order of any answer that is not complete.
    """
    numbers = [int(number) - 1 for number in _NUMBER.findall(answer)]
    complete = sorted(numbers) == list(range(count))
    known = list(dict.fromkeys(number for number in numbers if 0 <= number < count))
    if invalid == "ignore" and not complete:
        known = []
    order = (*known, *(i for i in range(count) if i not in set(known)))
    return Order(order, complete, _WELL_FORMED.fullmatch(answer) is not None)
