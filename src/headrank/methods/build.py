"""Building methods: the fair forms, which share a prompt and a pass, and the forms that their authors' code runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from headrank.errors import UsageError
from headrank.methods.entry import Released
from headrank.methods.table import FROZEN, frozen
from headrank.prompts.builder import PromptBuilder
from headrank.rerankers.together import rerank_together

if TYPE_CHECKING:
    import pandas as pd

    from headrank.rerankers.candidates import Candidates
    from headrank.rerankers.method import Method
    from headrank.rerankers.parts import Parts


def released(names: Sequence[str]) -> list[str]:
    """The methods among ``names`` that have a prompt of their own."""
    return [name for name in names if isinstance(FROZEN.get(name), Released)]


def build(names: Sequence[str], parts: Parts) -> list[Method]:
    """The methods that share one prompt, in the order of ``names``; released ones are left out.

    Raises InputError for an unknown method.
    """
    return [frozen(name).build(parts) for name in names if not isinstance(frozen(name), Released)]


def released_builder(entry: Released, parts: Parts, benchmark: str = "") -> PromptBuilder:
    """The builder of a method's own prompts; see ``rerank_released``."""
    prompt = parts.settings.prompt
    template = replace(entry.template(prompt.family, benchmark), tokens=prompt.truncate_tokens)
    return PromptBuilder(parts.backbone.tokenizer, prompt, template)


def rerank_released(
    names: Sequence[str],
    parts: Parts,
    candidates: Sequence[Candidates],
    benchmark: str = "",
    tokens_per_pass: int = 0,
) -> dict[str, pd.DataFrame]:
    """Rankings, by name, of methods as their authors' code runs them (template, order and spans), one pass for each.

    parts: of the prompt, only the chat family and ``truncate_tokens``, if given, are used from ``settings``; words,
    titles and instruction are the method's own.
    benchmark: by BEIR's name; on some of them ICR asks a question. The other form, on one prompt, is the fair
    comparison.
    """
    frames = {}
    for entry in map(frozen, names):
        if not isinstance(entry, Released):
            raise UsageError(f"methods: {entry.name!r} has no form of its authors' own")
        builder = released_builder(entry, parts, benchmark)
        method = entry.build(parts)
        ranked = rerank_together(parts.backbone, builder, [method], candidates, entry.order, tokens_per_pass)
        frames[entry.name] = ranked[method.name]
    return frames
