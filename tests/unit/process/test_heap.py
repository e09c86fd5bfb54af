"""Freed memory stays with a process that asks for it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

AGAIN = """
import resource, sys
import torch
from headrank.process.heap import keep_freed_memory
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


HOLES = """
import sys
import torch
from headrank.process.heap import give_back, keep_freed_memory

keep_freed_memory()
given, kept = 0, []
for step in range(12):
    # What a step needs, of a length of its own, and a little that outlives it.
    held = [torch.ones((20 + 3 * (step * i % 7)) << 20, dtype=torch.uint8) for i in range(20)]
    kept.append(torch.ones(1 << 20, dtype=torch.uint8))
    del held
    given += sys.argv[1] == "give" and give_back(64 << 20)
pages = int(open("/proc/self/statm").read().split()[1])
print(given, pages * 4096 >> 20)
assert not give_back(1 << 40)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_lies_free_goes_back():
    found = {}
    for how in ("give", "keep"):
        done = subprocess.run(
            [sys.executable, "-c", HOLES, how], check=True, capture_output=True, text=True
        ).stdout
        found[how] = tuple(map(int, done.split()))
    assert found["give"][0] == 12
    assert found["keep"][0] == 0
    assert found["give"][1] < found["keep"][1] - 200


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
    from headrank.process import heap

    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: object())
    assert not heap.keep_freed_memory()
    assert not heap.give_back(0)
