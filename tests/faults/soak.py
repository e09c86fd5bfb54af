"""Random kills on the mini study for an hour, and one line at its end: `make soak`.

The study runs until it is killed at a random moment (SIGKILL or SIGTERM, to Snakemake with all its jobs or to one
process alone) and is started again. Whenever it comes to its end its results are compared with those of a study that
was never disturbed, and it begins again from nothing. When the time is over it runs to its end without further kills.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from headrank.provenance.manifest import check_manifest
from headrank.provenance.time import is_time

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGURATION = REPOSITORY / "config" / "mini.yaml"
# Seconds after which a run is killed at the latest.
LONGEST = 60
# What is never made twice alike, and the list of its digests.
ASIDE = ("benchmarks", "provenance.json", "manifest.sha256")


class Study:
    """The mini study in a directory. runs, kills, finished: how often it was started, killed and came to its end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.results = directory / "results" / "mini"
        self.log = directory / "soak.log"
        self.runs = self.kills = self.finished = 0
        directory.mkdir(exist_ok=True)

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        """Start Snakemake as the leader of a process group."""
        words = [sys.executable, "-m", "snakemake", "--cores", "all", *more]
        words += ["--directory", str(self.directory), "--configfile", str(CONFIGURATION)]
        with self.log.open("ab") as stream:
            return subprocess.Popen(
                words, cwd=REPOSITORY, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
            )

    def finish(self) -> None:
        """Run to the end; SystemExit with the end of the log if that fails."""
        self.runs += 1
        if self.start().wait() != 0:
            raise SystemExit(self.log.read_text(encoding="utf-8", errors="replace")[-3000:])

    def begin_again(self) -> None:
        for place in ("results", ".snakemake", "logs"):
            shutil.rmtree(self.directory / place, ignore_errors=True)

    def files(self) -> dict[str, bytes]:
        """All results that equal studies have alike."""
        names = {path.relative_to(self.results).as_posix(): path for path in self.results.rglob("*")}
        return {
            name: path.read_bytes()
            for name, path in names.items()
            if path.is_file()
            and not is_time(name)
            and not name.startswith((*ASIDE, "."))
            and "/." not in name
        }


def processes_of(group: int) -> list[int]:
    """The processes of a group other than its leader."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = (place / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            if int(fields[2]) == group and int(place.name) != group:
                found.append(int(place.name))
    return found


def disturb(study: Study, draw: random.Random, until: float) -> bool:
    """Run the study and kill it, or one of its processes, at a random moment; returns whether it came to its end."""
    study.runs += 1
    process = study.start()
    stop = min(time.monotonic() + draw.uniform(0, LONGEST), until)
    while process.poll() is None and time.monotonic() < stop:
        time.sleep(0.05)
    if process.poll() is None:
        study.kills += 1
        how, others = draw.choice([signal.SIGKILL, signal.SIGTERM]), processes_of(process.pid)
        with contextlib.suppress(ProcessLookupError):
            if others and draw.random() < 0.5:
                os.kill(draw.choice(others), how)
            else:
                os.killpg(process.pid, how)
        # When one job is lost Snakemake waits for those that are running.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LONGEST)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.wait() == 0:
        return True
    if study.start("--unlock").wait() != 0:
        raise SystemExit("the study cannot be unlocked")
    return False


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60, help="how long it is disturbed (default: 60)")
    parser.add_argument("--seed", type=int, default=19, help="what moments and victims are drawn from")
    parser.add_argument(
        "--undisturbed", type=Path, help="directory of a mini run; by default it is run first"
    )
    parser.add_argument("--output", type=Path, default=Path("results/soak.txt"), help="file for the line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headrank-soak-") as folder:
        alone = Study(options.undisturbed or Path(folder, "alone"))
        if options.undisturbed is None:
            alone.finish()
        expected = alone.files()
        study, draw = Study(Path(folder, "disturbed")), random.Random(options.seed)
        differing: list[str] = []

        def compare() -> None:
            found = study.files()
            names = sorted(n for n in {*expected, *found} if expected.get(n) != found.get(n))
            sound = check_manifest(study.results).sound
            differing.extend(names if sound else [*names, "manifest.sha256"])
            study.finished += 1
            study.begin_again()

        until = time.monotonic() + 60 * options.minutes
        while time.monotonic() < until:
            if disturb(study, draw, until):
                compare()
        study.finish()
        compare()
    line = (
        f"{datetime.now(UTC).date()}, {options.minutes:g} minutes, seed {options.seed}: {study.runs} runs,"
        f" {study.kills} kills, {study.finished} finished studies of {len(expected)} files,"
        f" {len(differing)} differences"
    )
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(f"{line}\n", encoding="utf-8")
    print("\n".join([*differing[:20], line]))
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
