"""Lines of text for a terminal: as wide as it is, cut where they are longer, in characters that it can show."""

from __future__ import annotations

import shutil

NARROWEST = 40
# Longer lines are hard to read.
WIDEST = 100
# For terminals that cannot show them.
_PLAIN = str.maketrans({"●": "*", "○": ".", "…": ">", "–": "-"})


def columns() -> int:
    """How wide a line is: as the terminal, at most ``WIDEST``, which it also is where there is no terminal."""
    return min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)


def clipped(text: str, width: int) -> str:
    """The beginning of a text on one line, without control characters, with an ellipsis if it is cut."""
    # A passage may hold anything, the codes that move a terminal's cursor included.
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    width = max(width, NARROWEST)
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}…"


def encodable(line: str, encoding: str | None) -> str:
    """The line as this encoding can write it: plainer marks, and question marks for other characters it lacks."""
    encoding = encoding or "utf-8"
    try:
        line.encode(encoding)
    except UnicodeEncodeError:
        return line.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
    return line
