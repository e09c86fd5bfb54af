"""Scores and ranks of a run: what happens where they do not say the same."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrank.data.run_order import agreement, by_score
from headrank.data.trec import read_run
from headrank.errors import InputError


def put(folder: Path, *queries: list[float], ranks: list[int] | None = None) -> Path:
    """A run with these scores by rank; documents' ids fall as the ranks rise, against trec_eval's rule for ties."""
    lines = [
        f"q{number} Q0 d{i:03} {ranks[i] if ranks else i + 1} {score!r} x"
        for number, scores in enumerate(queries)
        for i, score in enumerate(scores)
    ]
    path = folder / "run.trec"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def order(path: Path, order_by: str | None = None, qid: str = "q0") -> list[str]:
    return [docid for docid, _ in read_run(path, order_by)[qid]]


FLAT, DISTANCES = [0.0] * 100, [i / 100 for i in range(1, 101)]
# One number in float32.
TOO_CLOSE = [100000000.0 + i for i in range(4, 0, -1)]
TOP_ONE = [1.0, *[0.0] * 20]


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        (FLAT, "fall for 0 of the 4950 pairs of documents that the ranks order (query q0: all 100 scores are equal)"),
        (DISTANCES, "fall for 0 of the 4950 pairs .*scores rise with the rank, as distances do"),
        (TOO_CLOSE, "all 4 scores are equal"),
        (TOP_ONE, "fall for 20 of the 210 pairs"),
    ],
)  # fmt: skip
def test_a_run_whose_scores_contradict_its_ranks_is_refused(
    tmp_path: Path, scores: list[float], told: str
) -> None:
    path = put(tmp_path, scores)
    with pytest.raises(
        InputError, match=rf"run\.trec: ranks and scores disagree: .*{told.replace('(', '.')}"[:-1]
    ):
        read_run(path)
    by_ranks = [f"d{i:03}" for i in range(len(scores))]
    assert order(path, "rank") == by_ranks
    assert order(path, "score") == [d for d, _ in by_score(dict(zip(by_ranks, scores, strict=True)))]
    # What is read by rank has scores that say the same.
    found = [score for _, score in read_run(path, "rank")["q0"]]
    assert found == sorted(set(found), reverse=True)


def test_the_ranks_of_the_file_count_and_not_its_order(tmp_path: Path) -> None:
    path = put(tmp_path, [0.0] * 4, ranks=[3, 1, 4, 2])
    assert order(path, "rank") == ["d001", "d003", "d000", "d002"]


@pytest.mark.parametrize(
    ("scores", "ranks"),
    [
        ([3.0, 2.0, 1.0], [1, 2, 3]),
        ([3.0, 2.0, 1.0], [0, 1, 2]),
        # Without an order of the ranks there is nothing to contradict.
        ([1.0, 2.0, 3.0], [0, 0, 0]),
        ([1.0, 1.0, 1.0], [1, 1, 1]),
        ([5.0], [7]),
        # Ties that trec_eval orders as the ranks do.
        ([1.0, 1.0, 1.0], [3, 2, 1]),
        # Some ties, and neighbours that have changed places.
        ([4.0, 3.0, 3.0, 3.5, 1.0, 0.5], [1, 2, 3, 4, 5, 6]),
    ],
)
def test_other_runs_are_read_by_score_without_a_word(
    tmp_path: Path, scores: list[float], ranks: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    path = put(tmp_path, scores, ranks=ranks)
    assert order(path) == order(path, "score")
    assert not caplog.text


def test_single_queries_that_disagree_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = put(tmp_path, [9.0, 8.0, 7.0, 6.0], [5.0, 4.0, 3.0], [0.5, 0.5], [1.0])
    assert order(path, qid="q2") == ["d001", "d000"]
    assert (
        "run.trec: ranks and scores disagree for 1 of 4 queries, such as q2 (all 2 scores are equal)"
        in caplog.text
    )


def test_two_documents_with_one_rank_have_no_order_by_rank(tmp_path: Path) -> None:
    path = put(tmp_path, [3.0, 2.0, 1.0], ranks=[1, 2, 2])
    with pytest.raises(InputError, match=r"run\.trec: query q0: documents d001 and d002 both have rank 2"):
        read_run(path, "rank")


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12))
def test_pairs_are_counted_as_by_comparing_each_with_each(given_pairs: list[tuple[int, int]]) -> None:
    ranks = {f"d{i}": rank for i, (rank, _) in enumerate(given_pairs)}
    scores = {f"d{i}": float(score) for i, (_, score) in enumerate(given_pairs)}
    ranking = by_score(scores)
    found = agreement(ranks, ranking)
    pairs = [(a, b) for a, b in itertools.permutations(ranks, 2) if ranks[a] < ranks[b]]
    assert found.pairs == len(pairs)
    along = [ranks[docid] for docid, _ in ranking]
    if along == sorted(along):
        assert found.confirmed == len(pairs)
    else:
        assert found.confirmed == sum(scores[a] > scores[b] for a, b in pairs)


@pytest.mark.parametrize("name", ["dl19/run.bm25", "dl21/run.splade", "bm25-runs/run.signal1m"])
def test_real_runs_are_read_without_a_word(
    shared_data: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_run(shared_data / f"{name}.trec") == read_run(shared_data / f"{name}.trec", "score")
    assert not caplog.text
