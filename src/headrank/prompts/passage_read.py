"""A passage as a model reads it: its text, the characters of each token, and what was cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PassageRead:
    """text: title, line break and text, as far as they are read. tokens: (start, stop) of each token's characters in
    ``text``, in the prompt's order; the tokens of one character may have the same. unread: the words, or the rest of a
    word, that are not read.
    """

    text: str
    tokens: tuple[tuple[int, int], ...]
    unread: str


def passage_read(
    rendered: str, spans: Sequence[tuple[int, int]], most: int | None, dropped: str
) -> PassageRead:
    """A rendered passage, which begins with a blank, and the spans of its tokens, of which ``most`` are read.

    dropped: words that were cut off before it was rendered.
    """
    read = spans if most is None else spans[:most]
    stop = len(rendered) if len(read) == len(spans) else max((end for _, end in read), default=0)
    left = [part for part in (rendered[stop:], dropped) if part.strip()]
    # The blank before the passage belongs to its first token, but not to its text.
    tokens = tuple((max(start - 1, 0), max(end - 1, 0)) for start, end in read)
    return PassageRead(rendered[1:stop], tokens, " ".join(left))
