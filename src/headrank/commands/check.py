"""``headrank check``: whether a results folder is still what its manifest says."""

from __future__ import annotations

import argparse
from typing import Any

from headrank.errors import InputError


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "check",
        help="verify a results folder against its manifest",
        description=(
            "Read every file of a results folder and compare it with manifest.sha256, which the workflow wrote when"
            " the study was finished. Lists the files that changed, are missing or were added, and says which command"
            " makes them anew. Measured times (benchmarks), report.html, explain.html and hidden files are not covered."
        ),
        epilog="Exit status: 0 when the folder is as listed, 5 when it is not.",
    )
    parser.add_argument("results", help="a results folder, such as results/mini")
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> None:
    from headrank.provenance.manifest import NAME, advice, check_manifest

    found = check_manifest(options.results)
    parts = {"changed": found.changed, "missing": found.missing, "extra": found.extra}
    for kind, names in parts.items():
        for name in names:
            print(f"{kind}: {name}")
    if not found.sound:
        counts = ", ".join(f"{len(names)} {kind}" for kind, names in parts.items() if names)
        raise InputError(
            f"{options.results}: not as {NAME} lists it ({counts}); {advice(options.results, found)}"
        )
    print(f"{options.results}: all {found.listed} files are as {NAME} lists them")
