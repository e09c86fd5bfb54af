"""Freed memory stays with a process that asks for it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

AGAIN = """
import resource, sys
import torch
from headrank.heap import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()

def once():
    a = torch.zeros(48 << 20, dtype=torch.uint8)
    b = torch.zeros(48 << 20, dtype=torch.uint8)
    return a[0] + b[0]

# It takes some calls until the heap has found its places.
for _ in range(12):
    once()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    once()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_not_mapped_anew():
    faults = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", AGAIN, how], check=True, capture_output=True, text=True
            ).stdout
        )
        for how in ("keep", "default")
    }
    assert faults["keep"] < faults["default"] / 4


def test_a_machine_without_glibc_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch):
    from headrank import heap

    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: object())
    assert not heap.keep_freed_memory()
