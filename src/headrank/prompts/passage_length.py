"""How much of a passage goes into a prompt: its first words, or its first tokens.

Words are what stands between blanks, as in the code of ICR, QRHead and CoRe. Chinese, Japanese or Thai text has hardly
any blanks; a passage of it would be a single word of any length. Such a text is cut to as many tokens as other texts
are cut to words.
"""

from __future__ import annotations

from headrank.writing_systems import WITHOUT_BLANKS

# No language that puts blanks between words has words of so many characters on average, but tables, addresses and the
# remains of programs may have them: the script decides as well.
_LONGEST_MEAN = 20


def truncate(text: str, words: int) -> str:
    """The first ``words`` blank-separated words of a text; shorter texts come back as they are."""
    parts = text.split(maxsplit=words)
    return text if len(parts) <= words else " ".join(parts[:words])


def truncated(text: str, words: int) -> str:
    """What ``truncate`` leaves out."""
    parts = text.split(maxsplit=words)
    return "" if len(parts) <= words else parts[words]


def without_blanks(text: str) -> bool:
    """Whether a text is mostly in scripts without blanks between words, and has hardly any."""
    return len(text) > _LONGEST_MEAN * len(text.split()) and 2 * len(WITHOUT_BLANKS.findall(text)) > len(text)


def kept(text: str, words: int, tokens: int | None) -> tuple[str, int | None]:
    """The part of a passage that is tokenised, and how many of its tokens are kept (None: all).

    tokens: how many the user wants; words are not counted then.
    """
    if tokens is not None:
        return text, tokens
    part = truncate(text, words)
    return part, words if without_blanks(part) else None
