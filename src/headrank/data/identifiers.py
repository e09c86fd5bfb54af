"""Ids of queries and documents: what can stand in a run file, where blanks part columns and ``#`` begins comments."""

from __future__ import annotations

import re

from headrank.errors import InputError, shown

# Begins a comment in runs and judgements.
COMMENT = "#"
_UNFIT = re.compile(r"[\s\0\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def check_id(identifier: str, where: str, kind: str) -> str:
    """Return ``identifier`` if it can stand in a run file, that is non-empty, encodable and without blanks.

    Blanks of every kind are refused, no-break spaces and byte order marks included: some readers split on
    them or drop them, and others do not.
    """
    if not identifier or _UNFIT.search(identifier):
        raise InputError(f"{where}: {kind} {shown(identifier)} is empty or holds blanks; rename it")
    if _SURROGATE.search(identifier):
        raise InputError(f"{where}: {kind} {shown(identifier)} is not valid Unicode text")
    return identifier


def check_qid(identifier: str, where: str) -> str:
    """Return a query id that can stand in a run file: ``check_id``, and no ``#`` in front, which marks comments."""
    if identifier.startswith(COMMENT):
        raise InputError(
            f"{where}: query id {shown(identifier)} begins with {COMMENT!r}, which marks a comment in runs and "
            "judgements; rename it"
        )
    return check_id(identifier, where, "query id")
