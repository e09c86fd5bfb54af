"""``headrank methods``: what each method needs and costs."""

from __future__ import annotations

import argparse
from typing import Any

from headrank.methods import CATALOGUE
from headrank.tables.kinds import KINDS


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "methods",
        help="what each method needs and costs",
        description="List every method: what it needs beside a backbone, and what a query of N candidates costs.",
    )
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> None:
    columns = ("name", "needs", "cost", "about")
    widths = [max(len(getattr(listing, c)) for listing in CATALOGUE) for c in columns]
    for kind, title in KINDS.items():
        listings = [listing for listing in CATALOGUE if listing.kind == kind]
        if listings:
            print(f"{title}")
        for listing in listings:
            cells = (getattr(listing, c).ljust(width) for c, width in zip(columns, widths, strict=True))
            print(f"  {'  '.join(cells)}".rstrip())
