"""The PyTerrier transformer: result frames in and out, in pipelines, without Java."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyterrier as pt
import pytest
from short_texts import texts

from headrank import Reranker
from headrank.errors import InputError, UsageError
from headrank.integrations.pyterrier import HeadRank


def frame(lists: dict[str, list[str]], queries: dict[str, str]) -> pd.DataFrame:
    """A first stage's results: scores fall from 10, ranks rise from 0, and one more column."""
    rows = [
        {
            "qid": qid,
            "query": queries[qid],
            "docno": f"{qid}-{i}",
            "docid": 100 + i,
            "text": text,
            "score": 10.0 - i,
            "rank": i,
        }
        for qid, listed in lists.items()
        for i, text in enumerate(listed)
    ]
    return pd.DataFrame(rows)


LISTS = {"7": texts(5, 1), "q": texts(9, 2), "3": texts(1, 3)}
QUERIES = {"7": "red oak", "q": "stone", "3": "elm river"}


def test_each_query_has_the_ids_scores_and_order_of_rank_many(reranker: Reranker) -> None:
    results = frame(LISTS, QUERIES)
    before = results.copy()
    ranked = HeadRank(reranker)(results)
    expected = reranker.rank_many(list(QUERIES.values()), list(LISTS.values()), progress=False)
    for (qid, listed), documents in zip(LISTS.items(), expected, strict=True):
        own = ranked[ranked["qid"] == qid]
        assert own["docno"].tolist() == [f"{qid}-{d.index}" for d in documents]
        assert own["text"].tolist() == [listed[d.index] for d in documents]
        assert own["docid"].tolist() == [100 + d.index for d in documents]
        assert own["score"].tolist() == [d.score for d in documents]
        assert own["rank"].tolist() == [*range(len(listed))]
        alone = reranker.rank(QUERIES[qid], listed)
        assert [d.index for d in alone] == [d.index for d in documents]
        assert [d.score for d in alone] == pytest.approx([d.score for d in documents], abs=1e-5)
    # The ranks that PyTerrier would compute from the scores, and a frame of its own.
    again = pt.model.add_ranks(ranked.copy())
    assert again["rank"].tolist() == ranked["rank"].tolist()
    assert ranked.index.tolist() == [*range(15)]
    pd.testing.assert_frame_equal(results, before)


def test_it_stands_in_pipelines(reranker: Reranker) -> None:
    results = frame(LISTS, QUERIES)
    bm25 = pt.Transformer.from_df(results.drop(columns="query"))
    queries = pd.DataFrame(list(QUERIES.items()), columns=["qid", "query"])
    cut = (bm25 % 4 >> HeadRank(reranker) % 2).transform(queries)
    expected = reranker.rank_many(
        list(QUERIES.values()), [listed[:4] for listed in LISTS.values()], top_k=2, progress=False
    )
    assert cut["docno"].tolist() == [
        f"{qid}-{d.index}" for qid, documents in zip(QUERIES, expected, strict=True) for d in documents
    ]
    own = (bm25 % 4 >> HeadRank(reranker, top_k=2)).transform(queries)
    pd.testing.assert_frame_equal(own, cut)
    qrels = pd.DataFrame({"qid": ["q"], "docno": [cut[cut["qid"] == "q"]["docno"].iloc[0]], "label": [1]})
    told = pt.Experiment(
        [bm25 % 4 >> HeadRank(reranker)], queries[queries["qid"] == "q"], qrels, ["recip_rank"]
    )
    assert told["recip_rank"].tolist() == [1.0]


def test_the_first_stages_order_is_its_rank_or_its_score(reranker: Reranker, prompts: list[str]) -> None:
    results = frame({"q": LISTS["q"][:5]}, QUERIES)
    mixed = results.sample(frac=1, random_state=1)
    assert mixed["rank"].tolist() != [*range(5)]
    ranked = HeadRank(reranker)(results)
    for other in (mixed, mixed.drop(columns="score"), mixed.drop(columns="rank")):
        found = HeadRank(reranker)(other)
        assert found["docno"].tolist() == ranked["docno"].tolist()
        assert found["score"].tolist() == ranked["score"].tolist()
    assert len(set(prompts)) == 1
    HeadRank(reranker)(mixed.drop(columns=["rank", "score"]))
    assert len(set(prompts)) == 2


def test_ties_keep_the_first_stages_order(alike: Reranker) -> None:
    results = frame({"q": LISTS["q"][:5]}, QUERIES)
    ranked = HeadRank(alike)(results.sample(frac=1, random_state=1))
    assert ranked["docno"].tolist() == results["docno"].tolist()
    assert ranked["rank"].tolist() == [0, 1, 2, 3, 4]


def test_documents_beyond_one_pass_come_back(reranker: Reranker) -> None:
    results = frame({"q": LISTS["q"]}, QUERIES)
    for beyond in ("windows", "append"):
        ranked = HeadRank(reranker, beyond=beyond)(results)  # type: ignore[arg-type]
        expected = reranker.rank("stone", LISTS["q"], beyond=beyond)  # type: ignore[arg-type]
        assert ranked["docno"].tolist() == [f"q-{d.index}" for d in expected]
        assert ranked["score"].tolist() == [d.score for d in expected]
        assert len(ranked) == 9


def test_a_document_that_is_there_twice_comes_back_twice(reranker: Reranker) -> None:
    results = frame({"q": [LISTS["q"][0], LISTS["q"][1], LISTS["q"][0]]}, QUERIES)
    results["docno"] = ["a", "b", "a"]
    assert sorted(HeadRank(reranker)(results)["docno"]) == ["a", "a", "b"]


def test_nothing_in_is_nothing_out(reranker: Reranker) -> None:
    empty = frame(LISTS, QUERIES).iloc[:0]
    ranked = HeadRank(reranker)(empty)
    assert len(ranked) == 0
    assert set(ranked.columns) == set(empty.columns)
    assert (ranked["score"].dtype, ranked["rank"].dtype) == ("float64", "int64")
    assert HeadRank(reranker)([]) == []


def test_records_are_ranked_as_frames_are(reranker: Reranker) -> None:
    results = frame(LISTS, QUERIES)
    expected = HeadRank(reranker)(results).to_dict(orient="records")
    assert HeadRank(reranker)(results.to_dict(orient="records")) == expected


def test_pyterrier_can_inspect_it(reranker: Reranker, monkeypatch: pytest.MonkeyPatch) -> None:
    # For links in a schematic PyTerrier would download the index of its documentation.
    monkeypatch.setattr(pt.documentation, "_cached_objects_inv", {})
    transformer = HeadRank(reranker, title_field="title", top_k=3)
    (inputs,) = pt.inspect.transformer_inputs(transformer)
    assert inputs == ["qid", "docno", "query", "text", "title"]
    assert pt.inspect.transformer_outputs(transformer, [*inputs, "url"]) == [*inputs, "url", "score", "rank"]
    found = {a.name: a.value for a in pt.inspect.transformer_attributes(transformer)}
    assert found["top_k"] == 3
    assert found["reranker"] is reranker
    other = pt.inspect.transformer_apply_attributes(transformer, top_k=5)
    assert (other.top_k, other.title_field, other.reranker) == (5, "title", reranker)
    assert pt.inspect.subtransformers(transformer) == {}
    assert "HeadRank" in pt.schematic.draw(pt.schematic.transformer_schematic(transformer))
    assert not pt.java.started()


def test_columns_that_are_missing_are_named(reranker: Reranker) -> None:
    with pytest.raises(pt.validate.InputValidationError, match="'text'"):
        HeadRank(reranker)(frame(LISTS, QUERIES).drop(columns="text"))
    with pytest.raises(pt.validate.InputValidationError, match="'docno'"):
        HeadRank(reranker)(pd.DataFrame({"qid": ["1"], "query": ["oak"]}))


def test_titles_are_read_where_their_column_is_named(reranker: Reranker) -> None:
    results = frame({"q": LISTS["q"][:3]}, QUERIES).assign(title=["Oak", None, "Elm"])
    ranked = HeadRank(reranker, title_field="title")(results)
    given = [
        {"text": text, "title": title} for text, title in zip(LISTS["q"][:3], ["Oak", "", "Elm"], strict=True)
    ]
    expected = reranker.rank("stone", given)
    assert ranked["score"].tolist() == [d.score for d in expected]
    assert ranked["score"].tolist() != HeadRank(reranker)(results)["score"].tolist()


def test_what_cannot_be_ranked_is_refused_by_its_ids(reranker: Reranker) -> None:
    results = frame({"q": LISTS["q"][:3]}, QUERIES)
    with pytest.raises(UsageError, match=r"^qid q: query: expected a text, got None$"):
        HeadRank(reranker)(results.assign(query=None))
    with pytest.raises(UsageError, match=r"^qid q: has several queries"):
        HeadRank(reranker)(results.assign(query=["a", "b", "b"]))
    with pytest.raises(UsageError, match=r"^qid q, docno q-1: text is (None|nan), expected a text$"):
        HeadRank(reranker)(results.assign(text=["a", None, "b"]))
    with pytest.raises(InputError, match="has no text"):
        HeadRank(reranker)(results.assign(query=" "))


def test_it_takes_a_rerankers_arguments(backbone: Path, reranker: Reranker, adapter: Path) -> None:
    results = frame(LISTS, QUERIES)
    made = HeadRank(method="icr", backbone=backbone, depth=6)
    pd.testing.assert_frame_equal(made(results), HeadRank(reranker)(results))
    assert repr(HeadRank(adapter=adapter)).startswith("HeadRank(Reranker('headrank' on ")
    with pytest.raises(UsageError, match="reranker: is loaded already; leave method out"):
        HeadRank(reranker, method="icr")
