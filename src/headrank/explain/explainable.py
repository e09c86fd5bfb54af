"""Which methods can be explained: those that read attention."""

from __future__ import annotations

from headrank.errors import UsageError
from headrank.methods.entry import Asked
from headrank.methods.table import METHODS


def check_explainable(method: str | None) -> None:
    """Raise UsageError for a method of the table that reads no attention."""
    if isinstance(METHODS.get(method or ""), Asked):
        raise UsageError(
            f"{method}: asks the model for its judgement and reads no attention, so there is nothing to show;"
            " take an attention method (`headrank methods`)"
        )
