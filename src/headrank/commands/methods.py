"""``headrank methods``: what each method needs and costs."""

from __future__ import annotations

import argparse
from typing import Any

from headrank.methods.table import KINDS, METHODS


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "methods",
        help="what each method needs and costs",
        description="List every method: what it needs besides a backbone, and what a query of N candidates costs.",
    )
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> None:
    listed = [entry for entry in METHODS.values() if not entry.studies_only]
    columns = ("name", "needs", "cost", "about")
    widths = [max(len(getattr(entry, c)) for entry in listed) for c in columns]
    for kind, title in KINDS.items():
        entries = [entry for entry in listed if entry.kind == kind]
        if entries:
            print(f"{title}")
        for entry in entries:
            cells = (getattr(entry, c).ljust(width) for c, width in zip(columns, widths, strict=True))
            print(f"  {'  '.join(cells)}".rstrip())
