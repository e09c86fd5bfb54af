"""``headrank status``: how far a study is, from the files that it leaves."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrank.status.jobs import Study

# Seconds between two looks at a study that is followed.
_EVERY = 2.0


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "status",
        help="how far a study is: done, running, failed with its log, left",
        description=(
            "Say how far a study is: how many jobs are done, at work and left, which have failed and where their logs"
            " are, and one line per finished rule with the number that it is about. Reads the files that the study"
            " leaves, so it needs no lock and may be used while the study runs, or after it was killed. After a start"
            " that asked for a part of the study, the whole is counted, and one line is about that part. Where the"
            " environment variable CI is set, only the first line and failed jobs are printed."
        ),
        epilog=(
            "Exit status: 0 when all is done, 1 when it is not (running or interrupted), 4 when there is no study,"
            " 6 when jobs failed."
        ),
    )
    parser.add_argument("results", help="a results folder, such as results/mini")
    parser.add_argument(
        "--follow", action="store_true", help="print a line as each rule finishes, until the study ends"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> int:
    from headrank.errors import UsageError

    if options.follow and options.json:
        raise UsageError("--follow prints lines as they come; leave --json out")
    quiet = _is_ci()
    study = _follow(options.results, quiet) if options.follow else _now(options.results)
    if options.json:
        from headrank.status.lines import as_values

        print(json.dumps(as_values(study), indent=2, ensure_ascii=False))
    else:
        _print(study, quiet, rules=not options.follow)
    return _status(study)


def _follow(results: str, quiet: bool) -> Study:
    """Print the lines of rules as they finish; returns the study as it is when it has ended, or stopped."""
    from headrank.status.jobs import AT_WORK
    from headrank.status.lines import done_rules, rule_line

    told: set[str] = set()
    while True:
        study = _now(results)
        for rule in done_rules(study):
            if rule not in told and not quiet:
                _say(rule_line(study, rule))
            told.add(rule)
        if study.state != AT_WORK:
            return study
        time.sleep(_EVERY)


def _now(results: str) -> Study:
    from headrank.status.jobs import read_study

    return read_study(results, time.time_ns())


def _print(study: Study, quiet: bool, rules: bool) -> None:
    from headrank.status.jobs import FAILED
    from headrank.status.lines import advice, head_line, job_lines, left_line, part_line, rule_lines

    _say(head_line(study, time.time_ns()))
    if quiet:
        for line in job_lines(study, (FAILED,)):
            _say(line)
        return
    for line in rule_lines(study) if rules else ():
        _say(line)
    for line in (*job_lines(study), left_line(study), part_line(study), advice(study)):
        if line:
            _say(line)


def _say(line: str) -> None:
    from headrank.commands.terminal import encodable

    print(encodable(line, sys.stdout.encoding), flush=True)


def _status(study: Study) -> int:
    from headrank.errors import RunError
    from headrank.status.jobs import FAILED

    if study.state == FAILED or study.count(FAILED):
        return RunError.exit_status
    return 0 if study.state == "finished" else 1


def _is_ci() -> bool:
    return os.environ.get("CI", "").lower() not in ("", "0", "false")
