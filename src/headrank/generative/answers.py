"""Which tokens an answer consists of, given the prompt before it: words are tokenised where the model would write them.

The same word is different tokens in different places. After "[", Qwen's tokenizers spell A as the second half of the
token "[A", and SentencePiece's as "A", not as the "▁A" that they spell it as on its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from headrank.errors import InputError

Ids = tuple[int, ...]


def part(wholes: Sequence[Ids], before: Ids, answers: Sequence[str]) -> tuple[int, tuple[Ids, ...]]:
    """Where the answers part, and the tokens from there on that tell each from the others.

    wholes: for each answer, the ids of prompt and answer tokenised as one. before: the ids of the prompt alone. At
    least one of an answer's tokens goes beyond the prompt: where "[A" is one token and "[O" two, "[" says little of O.
    Raises InputError for answers that no token tells apart.
    """
    start = _shared(wholes) if len(wholes) > 1 else _shared([*wholes, before])
    words = []
    for i, whole in enumerate(wholes):
        others = [_shared([whole, other]) for other in (*wholes[:i], *wholes[i + 1 :])]
        stop = max(_shared([whole, before]), *others, start) + 1
        if stop > len(whole):
            raise InputError(f"the tokenizer does not tell {answers[i]!r} from the other answers")
        words.append(whole[start:stop])
    return start, tuple(words)


def stems(words: Sequence[Ids]) -> list[Ids]:
    """What has to be read after the prompt to know the probability of every token of the words.

    That is all tokens of a word but the last; of two of these where one begins the other, the longer.
    """
    before = sorted({word[:-1] for word in words}, key=lambda stem: (-len(stem), stem))
    return [
        stem for i, stem in enumerate(before) if not any(other[: len(stem)] == stem for other in before[:i])
    ]


def _shared(wholes: Sequence[Ids]) -> int:
    """How many tokens all have in common from the first on."""
    count = 0
    for tokens in zip(*wholes, strict=False):
        if len(set(tokens)) > 1:
            break
        count += 1
    return count
