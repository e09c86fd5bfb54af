"""``headrank doctor``: whether this installation ranks rightly, and what a bug report has to say of it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import asdict
from typing import Any


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "doctor",
        help="check this installation: versions, disk, device, and numbers whose right values are known",
        description=(
            "Look at versions, folders and device, rank with a model in which the right answers are planted and compare"
            " a backbone's numbers read in different ways. Prints one line per check: mark, what was found, what to do."
            " Takes about a minute at most and downloads nothing, unless --backbone names a model of the hub. Send the"
            " output with a bug report."
        ),
        epilog=(
            "Exit status: 0 if no check failed (warnings are told and do not count); otherwise that of the first that"
            " did: 3 something needed is missing, 4 a folder or model that you named is missing, 6 wrong numbers."
        ),
    )
    parser.add_argument(
        "--backbone",
        help="check the numbers of this model (folder, GGUF file or hub id; default: a small one made for the check)",
    )
    parser.add_argument("--revision", help="commit of a backbone from the hub")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (default: auto)")
    parser.add_argument(
        "--dtype",
        choices=["float32", "bfloat16", "float16"],
        default="float32",
        help="the backbone's numbers; those of 16 bits have wide bounds (default: float32)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> int:
    from headrank.commands.terminal import encodable
    from headrank.doctor.examine import examine

    begun = time.monotonic()
    checks = []
    for check in examine(options.backbone, options.device, options.dtype, options.revision):
        checks.append(check)
        if not options.json:
            print(encodable(check.line(), sys.stdout.encoding), flush=True)
    seconds = time.monotonic() - begun
    status = next((check.status for check in checks if check.mark == "failed"), 0)
    if options.json:
        report = {"status": status, "seconds": round(seconds, 1), "checks": [asdict(c) for c in checks]}
        print(json.dumps(report, indent=2))
        return status
    marks = Counter(check.mark for check in checks)
    counts = ", ".join(f"{marks[mark]} {mark}" for mark in ("ok", "warning", "failed"))
    print(f"{len(checks)} checks in {seconds:.0f} s: {counts}")
    return status
