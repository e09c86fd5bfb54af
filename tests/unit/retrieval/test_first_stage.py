"""First stage: the ranking of a small collection by hand, and the reference figures of three real ones."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from headrank.data.collections import Document, open_collection
from headrank.errors import InputError
from headrank.evaluation.evaluate import evaluate, means
from headrank.retrieval.bm25_index import best
from headrank.retrieval.first_stage import bm25, cut, given_candidates, without_same_id

DOCUMENTS = [
    Document("a", "Cats", "the cat sat on the mat"),
    Document("b", "", "a dog barked at a cat"),
    Document("c", "Dogs", "dogs running and barking"),
    Document("d", "", "unrelated words entirely"),
    Document("e", "", ""),
]


def test_scores_by_hand():
    """Lucene's BM25: idf = ln(1 + (N - n + .5) / (n + .5)), weight tf / (tf + k1 (1 - b + b length / mean))."""
    run = bm25(DOCUMENTS, {"q": "cats"}, depth=10)
    # Stemmed, without stop words: a = cat cat sat mat, b = dog bark cat, c = dog dog run bark, d = three words.
    lengths = {"a": 4, "b": 3, "c": 4, "d": 3, "e": 0}
    mean = sum(lengths.values()) / 5
    idf = math.log(1 + (5 - 2 + 0.5) / (2 + 0.5))
    expected = {
        docid: idf * tf / (tf + 0.9 * (1 - 0.4 + 0.4 * lengths[docid] / mean))
        for docid, tf in (("a", 2), ("b", 1))
    }
    assert dict(run["q"]) == pytest.approx(expected, rel=1e-5)
    assert [docid for docid, _ in run["q"]] == ["a", "b"]


def test_only_documents_with_a_term_of_the_query_are_candidates(caplog: pytest.LogCaptureFixture):
    run = bm25(DOCUMENTS, {"none": "zebra", "stop": "the of and", "empty": "", "some": "zebra dog"}, depth=10)
    assert run["none"] == run["stop"] == run["empty"] == []
    assert {docid for docid, _ in run["some"]} == {"b", "c"}
    assert "nothing was found for 3 of 4 queries: none, stop, empty" in caplog.text


def test_a_collection_of_empty_documents_has_no_candidates():
    assert bm25([Document("a", "", ""), Document("b", "", "the")], {"q": "cat"}, depth=3) == {"q": []}


def test_ties_keep_the_order_of_the_collection_also_at_the_cut():
    copies = [Document(f"d{i}", "", "same words here") for i in range(30)]
    run = bm25([*copies, Document("x", "", "other")], {"q": "words"}, depth=7)
    assert [docid for docid, _ in run["q"]] == [f"d{i}" for i in range(7)]


def test_best_agrees_with_a_full_sort():
    rng = np.random.default_rng(5)
    for size in (1, 2, 9, 60):
        scores = rng.integers(0, 6, size).astype(np.float32)
        for depth in (1, 3, size, size + 1):
            full = [i for i in sorted(range(size), key=lambda i: (-scores[i], i)) if scores[i] > 0]
            assert best(scores, depth).tolist() == full[:depth]


def test_the_query_itself_is_dropped_only_when_asked():
    queries = {"a": "cat mat", "zz": "cat"}
    assert [d for d, _ in bm25(DOCUMENTS, queries, depth=1)["a"]] == ["a"]
    run = bm25(DOCUMENTS, queries, depth=1, drop_same_id=True)
    assert [d for d, _ in run["a"]] == ["b"]  # the depth counts what is left
    assert [d for d, _ in run["zz"]] == ["a"]
    assert without_same_id({"a": [("b", 2.0), ("a", 1.0)], "c": [("a", 1.0)]}) == {
        "a": [("b", 2.0)],
        "c": [("a", 1.0)],
    }


def test_cut():
    run = {"q": [("a", 3.0), ("b", 2.0), ("c", 1.0)], "r": [("a", 1.0)]}
    assert cut(run, 2) == {"q": [("a", 3.0), ("b", 2.0)], "r": [("a", 1.0)]}
    assert len(run["q"]) == 3
    with pytest.raises(InputError, match="depth: 0"):
        cut(run, 0)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"documents": []}, "the collection is empty"),
        ({"queries": {}}, "none given"),
        ({"depth": 0}, "depth: 0"),
        ({"k1": -1.0}, "k1 = -1.0"),
        ({"b": 1.5}, "b = 1.5"),
        ({"b": math.nan}, "b = nan"),
    ],
)
def test_bad_input(arguments, word):
    with pytest.raises(InputError, match=word):
        bm25(**{"documents": DOCUMENTS, "queries": {"q": "cat"}, "depth": 3, **arguments})


@pytest.mark.parametrize("name", ["cranfield", "vaswani", "cisi"])
def test_reference_figures_of_real_collections(shared_data: Path, name: str):
    """The figures stand in each collection's own SOURCE.txt; a distance of 0.02 is tolerated."""
    source = (shared_data / name / "SOURCE.txt").read_text()
    figures = [
        float(re.search(pattern, source)[1])
        for pattern in (r"nDCG@10 (0\.\d+)", r"recall@40 (0\.\d+)", r"recall@100 (0\.\d+)")
    ]
    collection = open_collection(name, {"source": "local", "path": str(shared_data / name)})
    run = bm25(collection.documents(), collection.queries(), depth=100)
    found = means(evaluate(run, collection.qrels(), ["ndcg@10", "recall@40", "recall@100"]))
    assert list(found.values()) == pytest.approx(figures, abs=0.02)


def test_the_stages_without_a_model_do_without_torch():
    """Retrieval and evaluation run in environments of their own, which have no torch."""
    code = (
        "import sys\n"
        "from headrank.data import collections\n"
        "from headrank.evaluation import evaluate, selectivity, significance\n"
        "from headrank.retrieval import first_stage\n"
        "run = first_stage.bm25([collections.Document('d', '', 'cat')], {'q': 'cats'}, 1)\n"
        "print(evaluate.means(evaluate.evaluate(run, {'q': {'d': 1}}, ['ndcg@10'])))\n"
        "print(significance.holm([0.5]), sorted({'torch', 'transformers', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "{'ndcg@10': 1.0}\n[0.5] []\n", done.stderr


def test_a_second_process_gives_the_same_run():
    """String hashes differ from process to process; no order may depend on them."""
    code = (
        "from headrank.data.collections import Document\n"
        "from headrank.retrieval.first_stage import bm25\n"
        "import random\n"
        "r = random.Random(1); words = [f'w{i}' for i in range(50)]\n"
        "docs = [Document(str(i), '', ' '.join(r.choices(words, k=20))) for i in range(200)]\n"
        "print(bm25(docs, {str(i): ' '.join(r.choices(words, k=9)) for i in range(9)}, depth=30))"
    )
    outputs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment).stdout
        for environment in ({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2"})
    }
    assert len(outputs) == 1


def test_candidates_from_elsewhere_are_those_of_the_queries_at_hand():
    run = {"q": [("d", 2.0), ("q", 1.0)], "foreign": [("d", 1.0)]}
    assert given_candidates(run, {"q": "text"}, "run.trec") == {"q": run["q"]}
    assert given_candidates(run, {"q": "text"}, "run.trec", drop_same_id=True) == {"q": [("d", 2.0)]}
    with pytest.raises(InputError, match=r"run\.trec: no candidates for query p"):
        given_candidates(run, {"q": "text", "p": "more"}, "run.trec")
    with pytest.raises(InputError, match=r"no candidates for query foreign"):
        given_candidates({"foreign": [("foreign", 1.0)]}, ["foreign"], "run.trec", drop_same_id=True)
    with pytest.raises(InputError, match="no candidates for query p"):
        given_candidates({**run, "p": []}, ["q", "p"], "run.trec")
    with pytest.raises(
        InputError, match=r"no candidates for 8 queries \(0, 1, 2, 3, 4 and 3 more\); add them"
    ):
        given_candidates(run, ["q", *map(str, range(8))], "run.trec")
