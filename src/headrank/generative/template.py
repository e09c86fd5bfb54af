"""A model's own chat template, which is a program in its files: it may fail, and it may never end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from jinja2.exceptions import TemplateError

from headrank.errors import InputError

# Lines of Python that rendering may run, and seconds of this thread's own computing: published templates take a few
# hundred lines, and a thousand turns some ten thousands.
MOST_STEPS, MOST_SECONDS = 2_000_000, 20.0


class _TooLong(Exception):
    """Raised inside a template that has run longer than it may."""


def render(tokenizer: Any, messages: Sequence[Mapping[str, str]], asks: bool = True) -> str:
    """The conversation by the tokenizer's template; ``asks``: up to the assistant's turn, whose beginning it ends with.

    Raises TemplateError where the template itself refuses the conversation, for instance one with a system turn, and
    InputError, naming the model, for a template that fails in any other way or does not end.
    """
    try:
        with limited(MOST_STEPS, MOST_SECONDS):
            return str(
                tokenizer.apply_chat_template(
                    list(messages), tokenize=False, add_generation_prompt=asks, enable_thinking=False
                )
            )
    except TemplateError:
        raise
    except _TooLong as error:
        limit = f"{MOST_STEPS} steps or {MOST_SECONDS:g} seconds"
        raise unusable(tokenizer, f"does not end within {limit}") from error
    # A template may call anything on anything.
    except Exception as error:
        raise unusable(tokenizer, f"fails: {str(error) or type(error).__name__}") from error


def unusable(tokenizer: Any, why: str) -> InputError:
    """The error for a template that cannot be used, in one line."""
    name = getattr(tokenizer, "name_or_path", "") or "tokenizer"
    reason = " ".join(why.split())[:200]
    return InputError(f"{name}: its chat template {reason}; repair or remove it (chat_template.jinja)")


@contextmanager
def limited(steps: int, seconds: float) -> Iterator[None]:
    """Raise ``_TooLong`` in this thread when the block has run so many lines of Python, or computed for so long.

    The time is the thread's own, so that a busy machine changes nothing. A single call of C code is not interrupted.
    """
    left, end = steps, time.thread_time() + seconds

    def count(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
        nonlocal left
        left -= event == "line"
        if left < 0 or time.thread_time() > end:
            raise _TooLong
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)
