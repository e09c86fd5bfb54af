"""The machine: processor, memory, GPUs and operating system, but not its name, address or paths."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

_FIELDS = ("name", "memory.total", "driver_version")


def machine() -> dict[str, Any]:
    """What this process runs on; a value that the machine does not report is None.

    memory_gib: of the whole machine, rounded to whole GiB, as the kernel's own share differs from boot to boot.
    gpus: one entry per GPU that the driver shows, none without a driver.
    """
    return {
        "cpu": {
            "model": _cpu_model(),
            "architecture": platform.machine() or None,
            "cores": os.cpu_count(),
        },
        "memory_gib": _memory(),
        "gpus": gpus(),
        "os": {
            "kernel": f"{platform.system()} {platform.release()}",
            "distribution": _distribution(),
        },
    }


def gpus() -> list[dict[str, Any]]:
    """Name, memory in GiB and driver version of each NVIDIA GPU, from ``nvidia-smi``; empty where there is none."""
    command = ["nvidia-smi", f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return []
    return read_gpus(done.stdout)


def read_gpus(text: str) -> list[dict[str, Any]]:
    """The lines ``name, MiB, driver`` of ``nvidia-smi``; memory that it does not report becomes None."""
    found = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) == len(_FIELDS):
            name, memory, driver = fields
            gib = round(float(memory) / 1024) if memory.replace(".", "", 1).isdigit() else None
            found.append({"name": name, "memory_gib": gib, "driver": driver})
    return found


def energy(powercap: str | os.PathLike[str] = "/sys/class/powercap") -> dict[str, Any]:
    """Energy of the study in joules: always None, with the reason."""
    counters = sorted(Path(powercap).glob("*/energy_uj"))
    shown = ["RAPL"] if counters else []
    shown += ["the GPU driver"] if gpus() else []
    if not shown:
        reason = "the machine shows no energy counter"
    else:
        reason = (
            f"the counters of {' and '.join(shown)} count since the machine or its driver started, and everything that"
            " runs on it; there is no reading from the start of the study to subtract"
        )
    return {"joules": None, "reason": reason}


def _cpu_model() -> str | None:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip() or None
    except OSError:
        pass
    return platform.processor() or None


def _memory() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (ValueError, OSError):
        return None


def _distribution() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None
