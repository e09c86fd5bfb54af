"""Time, peak memory and disk space of a BM25 index by the number of passages; give the name of the CSV file to write.

Passages have 56 words each, as in MS MARCO. The words are drawn with Zipf's frequencies from a vocabulary that grows
with the collection (Heaps' law). Each size runs in a separate process.
"""

import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SIZES = (125_000, 250_000, 500_000, 1_000_000)
WORDS, QUERIES = 56, 200
_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))


def vocabulary(passages: int) -> list[str]:
    """Heaps' law with the constants of English text (44 n^0.49), as many distinct simulated words."""
    rng = np.random.default_rng(1)
    number = int(44 * (passages * WORDS) ** 0.49)
    lengths = rng.integers(4, 11, number)
    return ["".join(rng.choice(_LETTERS, length)) for length in lengths]


def texts(words: list[str], passages: int) -> Iterator[str]:
    rng = np.random.default_rng(2)
    weights = 1 / np.arange(1, len(words) + 1)
    cumulative = np.cumsum(weights / weights.sum())
    for start in range(0, passages, 10_000):
        drawn = np.searchsorted(cumulative, rng.random((min(10_000, passages - start), WORDS)))
        for row in np.minimum(drawn, len(words) - 1):
            yield " ".join(words[i] for i in row)


def measure(passages: int) -> dict[str, float]:
    """Build and search an index of one size, in this process."""
    from headrank.data.collections import Document
    from headrank.retrieval.bm25_index import Bm25Index, build_index

    words = vocabulary(passages)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with tempfile.TemporaryDirectory() as directory:
        begin = time.perf_counter()
        build_index((Document(f"d{i}", "", text) for i, text in enumerate(texts(words, passages))), directory)
        built = time.perf_counter() - begin
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = sum(path.stat().st_size for path in Path(directory).iterdir()) / 2**20
        index = Bm25Index(directory)
        rng = np.random.default_rng(3)
        queries = [" ".join(words[i] for i in rng.integers(20, 5000, 6)) for _ in range(QUERIES)]
        begin = time.perf_counter()
        for query in queries:
            index.search(query, 100)
        searched = (time.perf_counter() - begin) / QUERIES
    return {
        "passages": passages,
        "build_s": round(built, 1),
        "peak_mib": round(peak),
        "start_mib": round(before),
        "disk_mib": round(size),
        "search_ms": round(1000 * searched, 2),
    }


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(int(sys.argv[2]))))
    else:
        commands = [[sys.executable, __file__, "one", str(size)] for size in SIZES]
        rows = [json.loads(subprocess.check_output(command)) for command in commands]
        with Path(sys.argv[1]).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
