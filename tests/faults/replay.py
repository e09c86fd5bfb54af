"""Runs a job's script, as Snakemake wrote it, in a process forked from one that has loaded the large packages."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import runpy
import signal
import sys
import time
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from whole_study import Stage

# Imported here, before a job's process is forked, is what jobs import.
_LOADED = (
    *(
        "torch",
        "transformers",
        "peft",
        "pandas",
        "pyarrow.parquet",
        "scipy.stats",
        "statsmodels.stats.multitest",
    ),
    *(
        "matplotlib.figure",
        "matplotlib.backends.backend_pdf",
        "matplotlib.backends.backend_agg",
        "headrank.process.bm25s_without_jax",
    ),
    *("snakemake.script", "snakemake.logging", "headrank.training.loop", "headrank.engine.backbone", "gguf"),
)


def prepare() -> None:
    """Start the process from which jobs are forked."""
    multiprocessing.set_forkserver_preload([*_LOADED])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        patch.setenv("HF_HUB_OFFLINE", "1")
        forkserver.ensure_running()


def _run(script: str, study: str, terminal: Connection, most: int | None) -> None:
    os.setsid()
    os.chdir(study)
    os.dup2(terminal.fileno(), 1)
    os.dup2(terminal.fileno(), 2)
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
    if most is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    runpy.run_path(script, run_name="__main__")


class Replay:
    """One run of a stage in a study's directory. most: bytes that a file may have."""

    def __init__(self, stage: Stage, study: Path, most: int | None = None) -> None:
        self._terminal, theirs = multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.get_context("forkserver").Process(
            target=_run, args=(stage.script, str(study), theirs, most)
        )
        self.began = time.monotonic()
        self.process.start()
        theirs.close()

    def end(self, limit: float = 300) -> int:
        """The exit status; a run that hangs is killed."""
        self.process.join(limit)
        hung = self.process.is_alive()
        self.signal(signal.SIGKILL)
        assert not hung, f"still running after {limit} s"
        assert self.process.exitcode is not None
        return self.process.exitcode

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the job and what it started, and wait for the job's end."""
        if self.process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid or 0, number)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid or 0, number)
        self.process.join(60)

    def told(self) -> list[str]:
        """The lines on the terminal."""
        parts = []
        os.set_blocking(self._terminal.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self._terminal.fileno(), 1 << 16):
                parts.append(part)
        return b"".join(parts).decode("utf-8", "replace").splitlines()
