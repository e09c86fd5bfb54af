"""Runs and judgements: what is read is what was written, in an order that every tool reads the same."""

from __future__ import annotations

import gzip
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrank.data.trec import (
    read_qrels,
    read_run,
    strictly_decreasing,
    write_qrels,
    write_run,
)
from headrank.errors import InputError

ids = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Z"), exclude_characters="\ufeff"), min_size=1, max_size=12
)
qids = ids.filter(lambda qid: not qid.startswith("#"))
scores = st.floats(min_value=-1e30, max_value=1e30, allow_nan=False)
documents = st.dictionaries(ids, scores, min_size=1, max_size=8).map(lambda d: list(d.items()))
runs = st.dictionaries(qids, documents, min_size=1, max_size=4)
one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


def put(folder: Path, text: str | bytes, name: str = "a.trec") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_part_of_a_run_that_nobody_asked_for_is_an_empty_file(tmp_path: Path) -> None:
    write_run(tmp_path / "run.trec", {}, "t", may_be_empty=True)
    assert (tmp_path / "run.trec").read_bytes() == b""


@one_folder
@given(run=runs, suffix=st.sampled_from(["trec", "trec.gz"]))
def test_a_run_comes_back_in_the_order_given(tmp_path: Path, run, suffix):
    path = tmp_path / f"run.{suffix}"
    write_run(path, run, "tag")
    back = read_run(path)
    assert {q: [d for d, _ in docs] for q, docs in back.items()} == {
        q: [d for d, _ in docs] for q, docs in run.items()
    }
    # Once written, scores are a fixed point: a second round changes no byte.
    before = path.read_bytes()
    write_run(path, back, "tag")
    assert path.read_bytes() == before


@given(st.lists(st.floats(-(2.0**99), 2.0**99), max_size=30))
def test_scores_fall_strictly_in_float32_and_stay_where_they_did(values):
    result = strictly_decreasing(values)
    assert all(a > b for a, b in pairwise(result))
    assert all(r == 0 or abs(r) >= np.finfo(np.float32).tiny for r in result)
    # Distinct in float32, or else one of two would have to move.
    falling = sorted({np.float32(v) for v in values if abs(v) >= 1e-30}, reverse=True)
    assert strictly_decreasing([float(v) for v in falling]) == falling


def test_scores_keep_falling_across_zero():
    tiny = float(np.finfo(np.float32).tiny)
    assert [float(s) for s in strictly_decreasing([tiny, tiny, tiny, tiny / 4])][:3] == [tiny, 0.0, -tiny]
    assert len(set(strictly_decreasing([0.0] * 1000))) == 1000
    assert [float(s) for s in strictly_decreasing([tiny / 4, -tiny / 4])] == [0.0, -tiny]


def test_every_tool_reads_the_written_order(tmp_path: Path):
    """The relevant document stands second among ties: trec_eval must give a reciprocal rank of 1/2."""
    write_run(tmp_path / "run.trec", {"q": [(d, 0.25) for d in "bacd"]}, "tag")
    scored = {"q": dict(read_run(tmp_path / "run.trec")["q"])}
    values = pytrec_eval.RelevanceEvaluator({"q": {"a": 1}}, {"recip_rank"}).evaluate(scored)
    assert values["q"]["recip_rank"] == 0.5


def test_ties_are_read_as_trec_eval_breaks_them(tmp_path: Path):
    path = put(tmp_path, "q Q0 a 1 1.0 t\nq Q0 z 2 1.0 t\nq Q0 m 3 1.0000000001 t\nq Q0 b 4 2 t\n")
    order = [docid for docid, _ in read_run(path, "score")["q"]]
    assert order == ["b", "z", "m", "a"]
    for position, docid in enumerate(order, start=1):
        values = pytrec_eval.RelevanceEvaluator({"q": {docid: 1}}, {"recip_rank"}).evaluate(
            {"q": {"a": 1.0, "z": 1.0, "m": 1.0000000001, "b": 2.0}}
        )
        assert values["q"]["recip_rank"] == pytest.approx(1 / position)


def test_bom_crlf_tabs_and_blank_lines_are_accepted(tmp_path: Path):
    path = put(tmp_path, b"\xef\xbb\xbfq1\tQ0\td1\t1\t2e0\tt \r\n\r\nq1  Q0 d#2 2 .5 t\r\n")
    assert read_run(path) == {"q1": [("d1", 2.0), ("d#2", 0.5)]}
    path = put(tmp_path, b"\xef\xbb\xbfq1\t0\td1\t-1\r\n\nq1 0 d2 +3")
    assert read_qrels(path) == {"q1": {"d1": -1, "d2": 3}}


def test_gzip_is_told_by_its_content(tmp_path: Path):
    path = put(tmp_path, gzip.compress(b"q Q0 d 1 1 t\n"), "named-plain.trec")
    assert read_run(path) == {"q": [("d", 1.0)]}


def test_compressed_output_has_no_time_stamp(tmp_path: Path):
    write_run(tmp_path / "a.trec.gz", {"q": [("d", 1.0)]}, "t")
    data = (tmp_path / "a.trec.gz").read_bytes()
    assert data[4:8] == b"\0\0\0\0"
    assert gzip.decompress(data) == b"q Q0 d 1 1.0 t\n"


@pytest.mark.parametrize(
    ("run", "tag", "word"),
    [
        ({"q": [("d", math.nan)]}, "t", "not finite"),
        ({"q": [("d", -math.inf)]}, "t", "not finite"),
        ({"q": [("d", 1e300)]}, "t", "float32"),
        ({"q": [("d", 1.0), ("d", 0.5)]}, "t", "document d appears twice"),
        ({"q": [("d e", 1.0)]}, "t", "blanks"),
        ({"q\u00a0": [("d", 1.0)]}, "t", "blanks"),
        ({"\ufeffq": [("d", 1.0)]}, "t", "blanks"),
        ({"q": [("\ud800", 1.0)]}, "t", "Unicode"),
        ({"q": [("d", 1.0)]}, "two words", "tag"),
        ({"#q": [("d", 1.0)]}, "t", "query id '#q' begins with '#'"),
        ({"q": []}, "t", "nothing to write"),
        ({}, "t", "nothing to write"),
    ],
)
def test_a_bad_run_is_not_written(tmp_path: Path, run, tag, word):
    path = put(tmp_path, "as it was")
    with pytest.raises(InputError, match=word) as caught:
        write_run(path, run, tag)
    assert "a.trec" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [path]


@one_folder
@given(
    qrels=st.dictionaries(
        qids, st.dictionaries(ids, st.integers(-2, 4), min_size=1, max_size=5), min_size=1, max_size=4
    )
)
def test_judgements_come_back(tmp_path: Path, qrels):
    write_qrels(tmp_path / "qrels.trec", qrels)
    assert read_qrels(tmp_path / "qrels.trec") == qrels


def test_bad_judgements_are_not_written(tmp_path: Path):
    for qrels in ({}, {"q": {}}, {"q": {"d": 1.5}}, {"q q": {"d": 1}}):
        with pytest.raises(InputError):
            write_qrels(tmp_path / "qrels.trec", qrels)
    assert list(tmp_path.iterdir()) == []


def test_a_judgement_may_be_repeated_but_not_contradicted(tmp_path: Path):
    assert read_qrels(put(tmp_path, "q 0 d 1\nq 0 d 1\n")) == {"q": {"d": 1}}
    with pytest.raises(InputError, match=r"a\.trec:2: document d of query q has two grades, 1 and 2"):
        read_qrels(put(tmp_path, "q 0 d 1\nq 0 d 2\n"))
