"""Files that claim more than they hold, never end, or grow without bound: each reader ends by itself, within limits.

Every case runs in a process of its own, with 2 GB of memory beyond what the libraries take and 10 seconds of processor
time, and must end with its own error, not by a limit.
"""

from __future__ import annotations

import gzip
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_files import DATA, NOT_FOUND, USAGE

MEMORY, SECONDS = 2 << 30, 10
PROGRAM = """
import importlib, pathlib, resource, sys
module, name, path = sys.argv[1:4]
reader = importlib.import_module(module)
for part in name.split("."):
    reader = getattr(reader, part)
pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + int(sys.argv[4]),) * 2)
used = resource.getrusage(resource.RUSAGE_SELF)
resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + int(sys.argv[5]) + 1,) * 2)
from headrank.errors import InputError
try:
    found = reader(pathlib.Path(path))
    if hasattr(found, "__next__"):
        for _ in found:
            pass
except InputError as error:
    print(error)
    sys.exit(error.exit_status)
"""

RUN, QRELS = ("headrank.data.trec", "read_run"), ("headrank.data.trec", "read_qrels")
QUERIES, CORPUS = ("headrank.data.beir", "read_queries"), ("headrank.data.beir", "read_documents")
HEADS = ("headrank.heads.head_set", "HeadSet.load")
FEATURES, TABLE = ("headrank.engine.features", "Features.load"), ("headrank.data.frames", "read_parquet")
GGUF, YAML = ("headrank.cost.gguf_sizes", "gguf_shape"), ("headrank.workflow.yaml_files", "check_file")
INDEX, ROUTER = (
    ("headrank.retrieval.bm25_index", "Bm25Index"),
    ("headrank.heads.routing.router", "Router.load"),
)
HUGE = 2**62


def repeated(byte: bytes, size: int) -> Callable[[Path], None]:
    """A gzip file of one byte, repeated."""

    def write(path: Path) -> None:
        with gzip.open(path, "wb", compresslevel=1) as stream:
            for _ in range(size >> 20):
                stream.write(byte * (1 << 20))

    return write


def sparse(head: bytes, size: int = 20 << 30) -> Callable[[Path], None]:
    """A large file that takes no place on the disk."""

    def write(path: Path) -> None:
        path.write_bytes(head)
        os.truncate(path, size)

    return write


def holding(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


def pipe(path: Path) -> None:
    os.mkfifo(path)


def zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def index(path: Path) -> None:
    path.mkdir()
    (path / "bm25.json").write_text(json.dumps({"documents": HUGE, "terms": 1}))
    head = str({"descr": "|S8", "fortran_order": False, "shape": (2**50,)}).encode()
    (path / "docids.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head) + 1) + head + b"\n")


GGUF_HEAD = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"x"


@pytest.mark.parametrize(
    ("reader", "write", "status", "message"),
    [
        (RUN, zero, NOT_FOUND, "is a device"),
        (QRELS, pipe, NOT_FOUND, "is a pipe"),
        (QUERIES, zero, NOT_FOUND, "is a device"),
        (CORPUS, pipe, NOT_FOUND, "is a pipe"),
        (HEADS, zero, NOT_FOUND, "is a device"),
        (FEATURES, pipe, NOT_FOUND, "is a pipe"),
        (ROUTER, zero, NOT_FOUND, "is a device"),
        (TABLE, pipe, NOT_FOUND, "is a pipe"),
        (GGUF, zero, NOT_FOUND, "is a device"),
        (GGUF, pipe, NOT_FOUND, "is a pipe"),
        (YAML, zero, NOT_FOUND, "is a device"),
        (RUN, repeated(b"\0", 256 << 20), DATA, ":1: a line of more than 16 MiB"),
        (CORPUS, repeated(b"\0", 256 << 20), DATA, ":1: a line of more than 16 MiB"),
        (RUN, repeated(b"\n", 256 << 20), DATA, ":1000001: more than a million blank lines in a row"),
        (CORPUS, repeated(b"\n", 256 << 20), DATA, ":1000001: more than a million blank lines in a row"),
        (RUN, sparse(b"q Q0 d 1 1 t\n"), DATA, ":2: a line of more than 16 MiB"),
        (QUERIES, sparse(b'{"_id": "'), DATA, ":1: a line of more than 16 MiB"),
        (HEADS, sparse(b"{"), DATA, "more than 32 MiB"),
        (YAML, sparse(b"a: "), DATA, "more than 1 MiB"),
        (FEATURES, sparse(struct.pack("<Q", 90 << 20)), DATA, "no readable features"),
        (ROUTER, sparse(struct.pack("<Q", 2**63)), DATA, "no readable router"),
        (TABLE, sparse(b"PAR1"), DATA, "no readable table"),
        (GGUF, sparse(GGUF_HEAD + struct.pack("<IQ", 8, 1 << 30), 3 << 29), DATA, "cut off or damaged"),
        (GGUF, sparse(GGUF_HEAD + struct.pack("<IIQ", 9, 0, 1 << 30), 3 << 29), DATA, "cut off or damaged"),
        (GGUF, sparse(b"GGUF" + struct.pack("<IQQ", 3, HUGE, 0), 1 << 30), DATA, "cut off or damaged"),
        (HEADS, holding(b"[" * (30 << 20)), DATA, "nested more than 64 levels"),
        (HEADS, holding(b"[" + b"[]," * (8 << 20) + b"[]]"), DATA, "not a head set of schema 1"),
        (HEADS, holding(b'{"a":' + b"9" * (20 << 20) + b"}"), DATA, "is out of range"),
        (QRELS, holding(b"q 0 d " + b"9" * (10 << 20) + b"\n"), DATA, ":1: grade '999"),
        (QUERIES, holding(b"[" * (15 << 20)), DATA, ":1: not valid JSON"),
        (YAML, holding(b"a: &a [" + b"*a, " * 200_000 + b"1]"), USAGE, "more than 50000 values"),
        (YAML, holding(b"a: " + b"{a: " * 100_000), USAGE, "more than 50000 values or 32 levels"),
        (YAML, holding(b"a: " + b"9" * 1_000_000), USAGE, "a: a number of 1000000 digits"),
        (INDEX, index, DATA, "no BM25 index, or a damaged one"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else None,
)  # fmt: skip
def test_a_reader_ends_by_itself(
    reader: tuple[str, str], write: Callable[[Path], None], status: int, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    write(path)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *reader, str(path), str(MEMORY), str(SECONDS)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
    assert done.returncode == status, (done.returncode, done.stdout[-500:], done.stderr[-2000:])
    assert len(done.stdout.splitlines()) == 1
    assert any(part in done.stdout for part in message.split("|"))
    assert len(done.stdout) < 1000
