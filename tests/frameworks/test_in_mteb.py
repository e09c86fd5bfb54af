"""The search model of mteb: each query's candidates in one prompt, and the numbers of this project's own evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mteb
import pytest
from datasets import Dataset
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models.models_protocols import CrossEncoderProtocol, EncoderProtocol, SearchProtocol
from short_texts import texts

from headrank import Document, Reranker
from headrank.data.run_order import by_score
from headrank.errors import InputError, UsageError
from headrank.evaluation.evaluate import evaluate, means
from headrank.integrations.mteb import HeadRankSearch

PASSAGES = {f"d{i}": text for i, text in enumerate(texts(16))}
# Two queries of one text: pairs of texts would not tell their lists apart.
QUERIES = {"q1": "red oak", "q2": "stone river", "q3": "red oak"}
# The relevant ones first, as mteb's converter of its older tasks puts them.
CANDIDATES = {
    "q1": ["d3", "d0", "d5", "d9"],
    "q2": ["d1", "d2", "d4", "d6", "d8"],
    "q3": ["d10", "d11", "d15"],
}
QRELS = {"q1": {"d3": 2, "d0": 1}, "q2": {"d1": 1}, "q3": {"d10": 1}}


def described(kind: Any) -> TaskMetadata:
    return TaskMetadata(
        name=f"Small{kind}",
        description="A few passages of random words.",
        dataset={"path": "none", "revision": "1"},
        type=kind,
        category="t2t",
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score="ndcg_at_10",
    )


class Small(AbsTaskRetrieval):
    """A task in memory. Three of its passages have a title."""

    metadata = described("Reranking")

    def __init__(self, candidates: Any = CANDIDATES, queries: Any = None, corpus: Any = None) -> None:
        super().__init__()
        rows = [
            {"id": docid, "title": "Oak" if docid in ("d2", "d5", "d11") else "", "text": text}
            for docid, text in PASSAGES.items()
        ]
        asked = [{"id": qid, "text": text} for qid, text in QUERIES.items()]
        self.given = {
            "corpus": Dataset.from_list(corpus or rows),
            "queries": Dataset.from_list(queries or asked),
            "relevant_docs": {qid: dict(grades) for qid, grades in QRELS.items()},
            "top_ranked": candidates,
        }

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        self.dataset = {"default": {"test": dict(self.given)}}  # type: ignore[dict-item]
        self.data_loaded = True


class SmallRetrieval(Small):
    metadata = described("Retrieval")


def documents(docids: list[str]) -> list[Document]:
    return [Document("", "Oak" if d in ("d2", "d5", "d11") else "", PASSAGES[d]) for d in docids]


def searched(model: HeadRankSearch, task: Small, top_k: int = 1000) -> dict[str, dict[str, float]]:
    """What the model finds for a task, called as mteb calls it."""
    told = {"task_metadata": task.metadata, "hf_split": "test", "hf_subset": "default", "num_proc": None}
    model.index(task.given["corpus"], encode_kwargs={}, **told)
    return model.search(
        task.given["queries"], top_k=top_k, encode_kwargs={}, top_ranked=task.given["top_ranked"], **told
    )


def score_of(result: Any, name: str) -> float:
    return float(result.task_results[0].scores["test"][0][name])


def test_mteb_takes_it_for_a_search_model_and_for_no_other(reranker: Reranker) -> None:
    model = HeadRankSearch(reranker)
    assert isinstance(model, SearchProtocol)
    # mteb would ask these for scores of single pairs, or for vectors.
    assert not isinstance(model, CrossEncoderProtocol)
    assert not isinstance(model, EncoderProtocol)


def test_each_querys_candidates_are_in_one_prompt(reranker: Reranker, prompts: list[str]) -> None:
    mteb.evaluate(HeadRankSearch(reranker), Small(), cache=None, show_progress_bar=False)
    assert len(prompts) == len(QUERIES)
    held = [{docid for docid, text in PASSAGES.items() if text in prompt} for prompt in prompts]
    assert held == [set(listed) for listed in CANDIDATES.values()]
    assert all(query in prompt for query, prompt in zip(QUERIES.values(), prompts, strict=True))


def test_scores_are_those_of_rank(reranker: Reranker) -> None:
    found = searched(HeadRankSearch(reranker, candidates="given"), Small())
    lists = [documents(listed) for listed in CANDIDATES.values()]
    expected = reranker.rank_many(
        list(QUERIES.values()), lists, ids=list(CANDIDATES.values()), progress=False
    )
    assert found == {
        qid: {d.id: d.score for d in ranking} for qid, ranking in zip(QUERIES, expected, strict=True)
    }
    assert [[*scores] for scores in found.values()] == [[d.id for d in ranking] for ranking in expected]
    top = searched(HeadRankSearch(reranker, candidates="given"), Small(), top_k=2)
    assert {qid: [*scores] for qid, scores in top.items()} == {qid: [*s][:2] for qid, s in found.items()}


@pytest.mark.parametrize("candidates", ["given", "shuffled"])
def test_measures_are_those_of_this_projects_evaluation(reranker: Reranker, candidates: Any) -> None:
    model = HeadRankSearch(reranker, candidates=candidates)
    result = mteb.evaluate(model, Small(), cache=None, show_progress_bar=False)
    run = {qid: by_score(scores) for qid, scores in searched(model, Small()).items()}
    own = means(evaluate(run, QRELS, ["ndcg@10", "rr@10"]))
    # mteb rounds to five digits.
    assert score_of(result, "ndcg_at_10") == pytest.approx(own["ndcg@10"], abs=1e-5)
    assert score_of(result, "mrr_at_10") == pytest.approx(own["rr@10"], abs=1e-5)
    assert 0 < own["ndcg@10"] < 1


def test_it_reranks_what_a_first_stage_found(reranker: Reranker, prompts: list[str], tmp_path: Path) -> None:
    bm25 = mteb.get_model("mteb/baseline-bm25s")
    mteb.evaluate(bm25, SmallRetrieval(None), cache=None, prediction_folder=tmp_path, show_progress_bar=False)
    task = SmallRetrieval(None).convert_to_reranking(tmp_path, top_k=5)
    first = task.dataset["default"]["test"]["top_ranked"]
    result = mteb.evaluate(HeadRankSearch(reranker), task, cache=None, show_progress_bar=False)
    # In the first stage's order, as the command line ranks them.
    assert len(prompts) == len(QUERIES)
    for (qid, listed), prompt in zip(first.items(), prompts, strict=True):
        assert len(listed) == 5
        assert sorted(listed, key=lambda docid: prompt.index(PASSAGES[docid])) == listed, qid
    rankings = reranker.rank_many(
        [QUERIES[qid] for qid in first], [documents(d) for d in first.values()], progress=False
    )
    run = {
        qid: by_score({listed[d.index]: d.score for d in ranking})
        for (qid, listed), ranking in zip(first.items(), rankings, strict=True)
    }
    own = means(evaluate(run, QRELS, ["ndcg@10"]))
    assert score_of(result, "ndcg_at_10") == pytest.approx(own["ndcg@10"], abs=1e-5)


def test_the_order_of_a_tasks_own_candidates_tells_nothing(reranker: Reranker, prompts: list[str]) -> None:
    def order(prompt: str, listed: list[str]) -> list[str]:
        return sorted(listed, key=lambda docid: prompt.index(PASSAGES[docid]))

    searched(HeadRankSearch(reranker), Small())
    shuffled = [order(p, listed) for p, listed in zip(prompts, CANDIDATES.values(), strict=True)]
    assert shuffled != [*CANDIDATES.values()]
    prompts.clear()
    # As before when the query is the only one; and as listed where that is asked for.
    searched(HeadRankSearch(reranker), Small({"q2": CANDIDATES["q2"]}))
    searched(HeadRankSearch(reranker, candidates="given"), Small({"q2": CANDIDATES["q2"]}))
    assert [order(p, CANDIDATES["q2"]) for p in prompts] == [shuffled[1], CANDIDATES["q2"]]


def test_candidates_beyond_one_pass_come_back(reranker: Reranker) -> None:
    listed = [*PASSAGES][:9]
    model = HeadRankSearch(reranker, candidates="given", beyond="append")
    found = searched(model, Small({"q1": listed}))
    expected = reranker.rank("red oak", documents(listed), ids=listed, beyond="append")
    assert found["q1"] == {d.id: d.score for d in expected}
    assert len(found["q1"]) == 9


def test_a_candidate_listed_twice_is_ranked_once_and_no_candidates_are_none(reranker: Reranker) -> None:
    found = searched(
        HeadRankSearch(reranker, candidates="given"), Small({"q1": ["d3", "d0", "d3"], "q2": []})
    )
    expected = reranker.rank("red oak", documents(["d3", "d0"]), ids=["d3", "d0"])
    assert found == {"q1": {d.id: d.score for d in expected}, "q2": {}, "q3": {}}


def test_an_instruction_stands_behind_its_query(reranker: Reranker, prompts: list[str]) -> None:
    asked = [{"id": "q1", "text": "red oak", "instruction": "Trees only."}]
    searched(HeadRankSearch(reranker), Small({"q1": ["d1", "d2"]}, queries=asked))
    assert "red oak Trees only." in prompts[0]


def test_stored_results_are_known_by_all_that_changes_them(
    backbone: Path, adapter: Path, reranker: Reranker, prompts: list[str], tmp_path: Path
) -> None:
    models = [
        HeadRankSearch(reranker),
        HeadRankSearch(reranker, beyond="append"),
        HeadRankSearch(reranker, candidates="given"),
        HeadRankSearch(method="icr", backbone=backbone, depth=5),
        HeadRankSearch(method="icr", backbone=backbone, depth=6, truncate_words=2),
        HeadRankSearch(adapter=adapter),
    ]
    metas = [model.mteb_model_meta for model in models]
    known = {(m.name, m.revision, m.experiment_name) for m in metas}
    assert len(known) == len(models)
    assert HeadRankSearch(method="icr", backbone=backbone, depth=6).mteb_model_meta == metas[0]
    cache = mteb.ResultCache(tmp_path)
    prompts.clear()
    first = mteb.evaluate(models[0], Small(), cache=cache, show_progress_bar=False)
    assert len(prompts) == 3
    again = mteb.evaluate(models[0], Small(), cache=cache, show_progress_bar=False)
    assert len(prompts) == 3
    assert score_of(again, "ndcg_at_10") == score_of(first, "ndcg_at_10")
    mteb.evaluate(models[2], Small(), cache=cache, show_progress_bar=False)
    assert len(prompts) == 6


def test_what_cannot_be_ranked_is_refused(reranker: Reranker) -> None:
    model = HeadRankSearch(reranker)
    with pytest.raises(UsageError, match=r"^SmallRetrieval: gives no candidates, .*convert_to_reranking"):
        mteb.evaluate(model, SmallRetrieval(None), cache=None, show_progress_bar=False)
    with pytest.raises(InputError, match=r"^SmallReranking: query q1: candidate dx is not in the corpus"):
        searched(model, Small({"q1": ["d1", "dx"]}))
    with pytest.raises(UsageError, match=r"^query q1: expected a text, got "):
        searched(model, Small(queries=[{"id": "q1", "text": [{"role": "user", "content": "oak"}]}]))
    with pytest.raises(UsageError, match=r"^corpus: has no texts"):
        searched(model, Small(corpus=[{"id": "d1", "image": "x"}]))
    with pytest.raises(UsageError, match=r"^candidates: 'shuffle' is unknown; did you mean 'shuffled'"):
        HeadRankSearch(reranker, candidates="shuffle")  # type: ignore[arg-type]
