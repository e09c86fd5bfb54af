"""The one error that the caller can fix, and parts of its messages: values in short, hints for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input; its message is one line that names the file, line or key at fault and says what to do.

    Entry points (pipeline stages, the command line) print it without a traceback and exit non-zero.
    """


def shown(value: object, longest: int = 100) -> str:
    """A value for a message, shortened: bad input may be of any size, or nested too deep to be printed."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return f"{type(value).__name__} of too many digits or levels"
    return text if len(text) <= longest else f"{text[:longest]}…"


def suggestion(name: object, known: Iterable[str], what: str = "known") -> str:
    """The word that was probably meant, or else all that are known."""
    words = list(known)
    close = difflib.get_close_matches(str(name), words, n=1)
    return f"did you mean {close[0]!r}?" if close else f"{what}: {', '.join(sorted(words))}"
