"""The system: processor, memory, encodings, git, threads, compiled attention, and the device that would be used."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys

from headrank.doctor.check import PREREQUISITE, Check, failed, ok, warning
from headrank.provenance.machine import gpus, machine

# Modules of headrank.engine.tiles, in words.
_INSTRUCTIONS = {"avx512": "AVX-512", "avx2": "AVX2"}
_UTF8 = ("utf-8", "utf8")


def platform_check() -> Check:
    """Processor, memory and operating system; the tests ran on Linux."""
    told = machine()
    cpu, system = told["cpu"], told["os"]
    memory = "unknown memory" if told["memory_gib"] is None else f"{told['memory_gib']} GiB of memory"
    name = f"{system['kernel']}, {system['distribution'] or 'no distribution'}"
    found = (
        f"{cpu['model'] or cpu['architecture']}, {usable_cores()} of {cpu['cores']} cores, {memory}, {name}"
    )
    if platform.system() != "Linux":
        return warning("platform", found, "the tests ran on Linux")
    return ok("platform", found)


def usable_cores() -> int:
    """How many cores this process may use."""
    # The set is a Linux function; elsewhere all cores count.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def encodings() -> Check:
    """Whether file names and output are UTF-8."""
    kinds = {"file names": sys.getfilesystemencoding(), "output": sys.stdout.encoding or "none"}
    found = ", ".join(f"{what} {name}" for what, name in kinds.items())
    if all(name.lower() in _UTF8 for name in kinds.values()):
        return ok("encoding", found)
    return warning(
        "encoding",
        found,
        "names and texts outside ASCII may fail; set PYTHONUTF8=1, or a locale such as LC_ALL=C.UTF-8",
    )


def git() -> Check:
    """Whether git is there, which studies ask for the commit of their code."""
    program = shutil.which("git")
    told = ""
    if program:
        try:
            done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60)
            told = done.stdout.strip() if done.returncode == 0 else ""
        except (OSError, subprocess.SubprocessError):
            told = ""
    if told:
        return ok("git", told.removeprefix("git version "))
    return warning("git", "none that runs", "install it, or studies record no commit of their code")


def threads() -> Check:
    """Whether PyTorch uses no more threads than this process may use cores."""
    import torch

    count, cores = torch.get_num_threads(), usable_cores()
    found = f"{count} of PyTorch, {cores} usable cores"
    if count > cores:
        return warning("threads", found, f"set OMP_NUM_THREADS={cores}: more threads than cores are slower")
    return ok("threads", found)


def compiled_attention() -> Check:
    """Whether the attention that was compiled for this processor is there."""
    import torch

    from headrank.engine.tiles import kernel, suits

    found = kernel()
    if found is not None:
        instructions = _INSTRUCTIONS[found.__name__.rpartition(".")[2]]
        pair = torch.zeros(1, 1, 1, 2, dtype=torch.bfloat16)
        kinds = "float32 and bfloat16" if suits(pair, pair, pair, 0.0) else "float32"
        return ok("compiled attention", f"{instructions}, {kinds}")
    if not torch.cpu.get_capabilities().get("avx2"):
        return ok("compiled attention", "none for this processor: PyTorch's own attention is used")
    return warning(
        "compiled attention",
        "none",
        "passes on the CPU take longer; install a C compiler and then this package again",
    )


def device(wanted: str) -> Check:
    """Name and memory of the device, and whether it multiplies numbers of 16 bits rightly.

    wanted: as for ``load_backbone``.
    """
    import torch

    from headrank.engine.devices import choose_device

    chosen = choose_device() if wanted == "auto" else wanted
    try:
        generator = torch.Generator().manual_seed(0)
        exact = torch.randn(64, 64, generator=generator)
        half = exact.to(chosen, torch.bfloat16)
        product = (half @ half).float().cpu()
        kind = torch.device(chosen).type
        name = "CPU"
        if kind == "cuda":
            told = torch.cuda.get_device_properties(chosen)
            name = (
                f"{told.name}, {told.total_memory / 2**30:.0f} GiB, {torch.version.cuda or torch.version.hip}"
            )
    except (RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:200]
        return failed(
            "device", f"{chosen} cannot be used ({reason})", "choose another one (--device cpu)", PREREQUISITE
        )
    right = half.float().cpu() @ half.float().cpu()
    # Products of 8 bits of mantissa, added up in at least float32 and rounded once.
    off = float((product - right).abs().max() / right.abs().max())
    if not off < 0.02:
        return warning(
            "device", f"{chosen} ({name}), bfloat16 is off by {off:.2g}", "use --dtype float32 on it"
        )
    found = f"{chosen} ({name}), bfloat16 right to {off:.1g}"
    hidden = [gpu["name"] for gpu in gpus()] if kind == "cpu" and wanted == "auto" else []
    if hidden:
        return warning(
            "device",
            f"{found}; the driver shows {', '.join(hidden)}, PyTorch {torch.__version__} sees none",
            "install a build of PyTorch for this driver, or see CUDA_VISIBLE_DEVICES",
        )
    return ok("device", found)
