"""A model's own chat template, which is a program in its files: it may fail, never end, or write without end.

transformers renders it in jinja2's sandbox, from which it reaches nothing; here that is done within bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2.exceptions import TemplateError

from headrank.errors import InputError
from headrank.process.bounded import Bounds, TooMuch, bounded

# Published templates take some milliseconds, and write a few thousand characters around the marks of the texts.
BOUNDS = Bounds(seconds=20.0, memory=1 << 28, answer=1 << 22)


def render(tokenizer: Any, messages: Sequence[Mapping[str, str]], asks: bool = True) -> str:
    """The conversation by the tokenizer's template; ``asks``: up to the assistant's turn, whose beginning it ends with.

    Raises TemplateError where the template itself refuses the conversation, for instance one with a system turn, and
    InputError, naming the model, for a template that fails in any other way or exceeds ``BOUNDS``.
    """

    def work() -> tuple[str, str]:
        try:
            found = tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=asks, enable_thinking=False
            )
            return "text", str(found)
        except TemplateError as error:
            return "refusal", str(error)
        except MemoryError:
            raise
        # A template may call anything on anything.
        except Exception as error:
            return "failure", str(error) or type(error).__name__

    try:
        kind, found = bounded(work, BOUNDS)
    except TooMuch as error:
        limit = f"{BOUNDS.seconds:g} seconds or {BOUNDS.answer >> 20} MiB"
        raise unusable(tokenizer, f"does not end within {limit}") from error
    except MemoryError as error:
        raise unusable(tokenizer, f"takes more than {BOUNDS.memory >> 20} MiB of memory") from error
    except OSError as error:
        raise InputError(
            f"no process for a chat template could be started ({error}); free some memory"
        ) from error
    if kind == "refusal":
        raise TemplateError(found)
    if kind == "failure":
        raise unusable(tokenizer, f"fails: {found}")
    return str(found)


def unusable(tokenizer: Any, why: str) -> InputError:
    """The error for a template that cannot be used, in one line."""
    name = getattr(tokenizer, "name_or_path", "") or "tokenizer"
    reason = " ".join(why.split())[:200]
    return InputError(f"{name}: its chat template {reason}; repair or remove it (chat_template.jinja)")
