"""Words of a text and their stems, which ReAttn compares."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_WORD = re.compile(r"\w+")


@cache
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")


def stems(text: str) -> dict[int, str]:
    """Position of each character within a word -> the word's stem, in lower case."""
    found: dict[int, str] = {}
    for match in _WORD.finditer(text):
        stem = str(_stemmer().stemWord(match[0].lower()))
        found.update(dict.fromkeys(range(*match.span()), stem))
    return found
