"""What every integration is given, a loaded Reranker or the arguments of one; and what it says without its peer."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from headrank.api import Reranker
from headrank.errors import PrerequisiteError, UsageError, one_line, shown, suggestion

_NAMES = tuple(inspect.signature(Reranker).parameters)


def missing(peer: str, extra: str, error: ImportError) -> PrerequisiteError:
    """What to raise where a peer cannot be imported. peer: as it calls itself; extra: ours, with the peer."""
    return PrerequisiteError(
        f"headrank.integrations: {peer} cannot be imported ({one_line(error)}); pip install 'headrank[{extra}]'"
    )


def check_arguments(reranker: Any, options: Mapping[str, Any]) -> None:
    """Raise UsageError unless there is either a loaded Reranker or arguments of one, before anything is read."""
    unknown = next((name for name in options if name not in _NAMES), None)
    if unknown is not None:
        raise UsageError(f"{unknown}: unknown argument; {suggestion(unknown, _NAMES)}")
    if reranker is not None and not isinstance(reranker, Reranker):
        raise UsageError(
            f"reranker: expected a loaded Reranker, got {shown(reranker)}; give its arguments by name"
        )
    if reranker is not None and options:
        raise UsageError(f"reranker: is loaded already; leave {', '.join(options)} out")
    if reranker is None and not options:
        raise UsageError("reranker: give a loaded Reranker, or its arguments by name, such as adapter=...")


def loaded(reranker: Any, options: Mapping[str, Any]) -> Reranker:
    """The Reranker that was given, or that of the arguments. Raises InputError as ``Reranker`` does."""
    check_arguments(reranker, options)
    return reranker if isinstance(reranker, Reranker) else Reranker(**options)
