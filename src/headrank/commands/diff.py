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
            "Compare two results folders. First the verdict; then where they come from, as far as that differs"
            " (configuration by dotted key, code, models, collections, versions); then what differs in metrics per"
            " query, tables, runs, head sets and other files, and files that only one of them has. Measured times and"
            " the machine are told at the end and do not count. A record of origin alone, a newer commit for"
            " instance, makes no difference either: the results decide."
        ),
        epilog="Exit status: 0 when the results are the same, 1 when they differ, 5 on bad input.",
    )
    parser.add_argument("first", help="a results folder of a finished study, results/mini for instance")
    parser.add_argument("second", help="another, of the same study on another machine for instance")
    parser.add_argument("--all", action="store_true", help="show whole lists, not their first ten entries")
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> int:
    from headrank.provenance.comparison import compare_folders, lines_of

    comparison = compare_folders(options.first, options.second)
    for line in lines_of(comparison, None if options.all else 10):
        print(line)
    return 0 if comparison.same else DIFFERENT
