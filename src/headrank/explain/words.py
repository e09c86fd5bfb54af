"""From tokens to the words that a reader sees: tokens are put together, and none is lost."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from headrank.explain.explanation import Explanation, Part
from headrank.writing_systems import UNDIVIDED

# They join letters or emoji into one and change nothing else.
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True)
class Word:
    """Some neighbouring tokens of an explanation, [first, last), as they are shown.

    text: what is shown for them. before: the text between the word and the one before it, which no token of either
    stands for, or the blanks that the tokens begin or end with.
    """

    part: Part
    text: str
    before: str
    first: int
    last: int


def words_of(explanation: Explanation) -> list[Word]:
    """The words that the tokens make up, in order; every token is in one of them.

    A new word begins after a blank, and where letters and other characters meet, so that a full stop, which often gets
    much attention, stays apart from the word before it. In scripts that put no blanks between words every token is one.
    A line break that is a token of its own is shown as such.
    """
    found: list[Word] = []
    shown = 0
    for first, last in _groups(explanation):
        part, start = explanation.tokens[first][:2]
        if part != "text":
            text = "".join(token[3] for token in explanation.tokens[first:last])
            found.append(Word(part, visible(text.strip(_BLANKS)) or "␣", "", first, last))
            continue
        stop = max(token[2] for token in explanation.tokens[first:last])
        text = explanation.text[start:stop]
        inner = text.strip(_BLANKS)
        if inner:
            begin = start + text.index(inner)
            found.append(Word(part, visible(inner), visible(explanation.text[shown:begin]), first, last))
            shown = begin + len(inner)
        else:
            # Blanks after the word before are part of this one.
            before = explanation.text[shown : max(start, shown)]
            mark = "⏎" if any(map(_breaks, text)) else "␣"
            found.append(Word(part, mark, visible(before), first, last))
            shown = max(stop if mark == "␣" else start, shown)
    return found


def _groups(explanation: Explanation) -> list[tuple[int, int]]:
    """(first, last) of the tokens of each word."""
    text = explanation.text
    groups: list[tuple[int, int]] = []
    stop = 0
    open_blank = False
    for place, (part, start, end, _) in enumerate(explanation.tokens):
        new = text[max(start, stop) : end]
        if not groups or part != explanation.tokens[place - 1][0]:
            begins = True
        elif part != "text" or not new:
            # A label is one word. The tokens of one character belong together.
            begins = False
        else:
            begins = not open_blank and _begins(text, max(start, stop), new)
        if begins:
            groups.append((place, place + 1))
        else:
            groups[-1] = (groups[-1][0], place + 1)
        stop = max(stop, end) if part == "text" else 0
        # A blank without a line break goes with the word that follows it, as in most vocabularies.
        open_blank = part == "text" and bool(new) and new.isspace() and not any(map(_breaks, new))
    return groups


def _begins(text: str, start: int, new: str) -> bool:
    """Whether a word begins with the characters ``new``, which ``text`` has at ``start``."""
    first, before = new[0], text[start - 1] if start else " "
    if first.isspace() or before.isspace():
        return True
    if _continues(first):
        return False
    if UNDIVIDED.match(first) or UNDIVIDED.match(before):
        return True
    while _continues(before) and start > 1:
        start -= 1
        before = text[start - 1]
    return _letter(first) != _letter(before)


def _letter(character: str) -> bool:
    return character.isalnum() or character in "_'’"


def _continues(character: str) -> bool:
    """Marks on a letter, joiners and the like: they are part of what they follow."""
    return unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf", "Sk")


def _breaks(character: str) -> bool:
    return character in "\n\r\v\f\x85\u2028\u2029"


def visible(text: str) -> str:
    """The text with its control characters spelt out: a page must not be reordered or cut by a passage.

    Line ends become line feeds, and tabs stay.
    """
    return "".join(map(_visible, text.replace("\r\n", "\n")))


def _visible(character: str) -> str:
    if character == "\t" or character in _JOINERS:
        return character
    if _breaks(character):
        return "\n"
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co"):
        return f"⟨U+{ord(character):04X}⟩"
    return character


# What is also shown as a blank: not the separators U+001C to U+001F, which Python counts among the blanks.
_BLANKS = "".join(c for c in map(chr, range(0x3001)) if c.isspace() and _visible(c).isspace())
