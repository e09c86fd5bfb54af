"""The demo's collection is what its README says: whole, judged throughout, and with nothing of the test in training."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrank.data.collections import Collection, open_collection
from headrank.data.training_lists import normalise
from headrank.retrieval.first_stage import bm25

FOLDER = Path(__file__).resolve().parents[3] / "config" / "demo"
SIZES = {"test": (12, 60), "training": (16, 48)}


def opened(name: str) -> Collection:
    return open_collection(name, {"source": "local", "path": FOLDER / name})


@pytest.mark.parametrize("name", SIZES)
def test_every_pair_is_judged_and_every_question_has_one_answer(name: str) -> None:
    collection = opened(name)
    documents = {document.docid: document for document in collection.documents()}
    assert (len(collection.queries()), len(documents)) == SIZES[name]
    assert all(40 <= len(document.text.split()) <= 90 for document in documents.values())
    qrels = collection.qrels()
    assert set(qrels) == set(collection.queries())
    for grades in qrels.values():
        assert set(grades) == set(documents)
        assert set(grades.values()) <= {0, 1, 2, 3}
        assert list(grades.values()).count(3) == 1
        assert 2 <= sum(grade > 0 for grade in grades.values()) <= 4


def test_training_has_no_question_and_no_passage_of_the_test() -> None:
    training, test = opened("training"), opened("test")
    questions = [{normalise(text) for text in c.queries().values()} for c in (training, test)]
    passages = [{normalise(d.text) for d in c.documents()} for c in (training, test)]
    assert not questions[0] & questions[1]
    assert not passages[0] & passages[1]
    assert not {d.docid for d in training.documents()} & {d.docid for d in test.documents()}


def test_what_answers_is_among_the_candidates_and_words_mislead() -> None:
    collection = opened("test")
    run, qrels = bm25(collection.documents(), collection.queries(), 20), collection.qrels()
    for qid, grades in qrels.items():
        found = [docid for docid, _ in run[qid]]
        assert {docid for docid, grade in grades.items() if grade > 0} <= set(found), qid
    firsts = [qrels[qid][found[0][0]] for qid, found in run.items()]
    assert 2 <= sum(grade >= 2 for grade in firsts) <= 6
