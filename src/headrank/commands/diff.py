"""``headrank diff``: whether two results folders hold the same results, and what differs."""

from __future__ import annotations

import argparse
from typing import Any

DIFFERENT = 1


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "diff",
        help="compare two results folders",
        description=(
            "Compare two results folders. Prints the verdict; then how their origins differ (configuration by key,"
            " code, models, collections, versions); then what differs in metrics per query, tables, runs, head sets"
            " and other files, and files that only one folder has. Measured times and the machine are listed at the"
            " end and do not count. A different origin alone, such as a newer commit, does not count either: only the"
            " results decide."
        ),
        epilog="Exit status: 0 when the results are the same, 1 when they differ, from 2 on an error (docs/using.md).",
    )
    parser.add_argument("first", help="a results folder of a finished study, such as results/mini")
    parser.add_argument("second", help="another one, such as that of the same study on another machine")
    parser.add_argument(
        "--all", action="store_true", help="show whole lists, not only their first ten entries"
    )
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> int:
    from headrank.provenance.comparison import compare_folders, lines_of

    comparison = compare_folders(options.first, options.second)
    for line in lines_of(comparison, None if options.all else 10):
        print(line)
    return 0 if comparison.same else DIFFERENT
