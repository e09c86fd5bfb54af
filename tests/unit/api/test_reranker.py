"""The class that users call: every method, what it accepts as query and documents, and what comes back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from support import checkpoint, passages

from headrank import Document, RankedDocument, Reranker
from headrank.engine.backbone import load_backbone
from headrank.engine.forward import positions_of
from headrank.engine.rotary_lengths import most_positions
from headrank.errors import InputError
from headrank.heads.head_set import HeadSet
from headrank.methods.entry import Frozen
from headrank.methods.table import METHODS
from headrank.rerankers import Candidates
from headrank.settings import Settings, TrainingSettings, to_mapping
from headrank.training.adapter import attach_lora, save_adapter

HEADS = HeadSet("headrank", "tiny", 4, 4, ((1, 2), (0, 1)), (1.0, 0.5))
TEXTS = [document.text for document in passages(11)]


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    backbone = load_backbone(checkpoint("qwen3"), HEADS.depth)
    torch.manual_seed(3)
    model = attach_lora(backbone, HEADS, TrainingSettings(lora_r=4))
    save_adapter(model, folder, backbone, HEADS, to_mapping(Settings()))
    return folder


@pytest.fixture(scope="module")
def reranker(adapter: Path) -> Reranker:
    return Reranker.load(adapter)


def indices(ranking: list[RankedDocument]) -> list[int]:
    return [document.index for document in ranking]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("red oak tree", "documents: expected a list of texts, Documents .*, got 'red oak tree'"),
        (b"red oak", "documents: expected a list .*, got b'red oak'"),
        ({"text": "red oak"}, "documents: expected a list .*got {'text': 'red oak'}"),
        (Document("a", "", "x"), "documents: expected a list "),
        (None, "documents: expected a list .*got None"),
        (7, "documents: expected a list .*got 7"),
        (["a", None], r"documents\[1\]: its text is None, expected a text"),
        (["a", 3.5], r"documents\[1\]: its text is 3\.5, expected a text"),
        ([float("nan")], r"documents\[0\]: its text is nan"),
        (["a", {"body": "b"}], r"documents\[1\]: {'body': 'b'} has no text"),
        (["a", {"text": ["b"]}], r"documents\[1\]: its text is \['b'\]"),
        (["a", {"text": "b", "title": 3}], r"documents\[1\]: its title is 3"),
        (["a", {"text": "b", "id": 1.5}], r"documents\[1\]: its id is 1\.5"),
        ([["a"]], r"documents\[0\]: its text is \['a'\]"),
        ([b"a"], r"documents\[0\]: its text is b'a'"),
        ([Document("a", None, "x")], r"documents\[0\]: its title is None, expected a text"),  # type: ignore[arg-type]
        (["x" * 9, Document("a", "", 5)], r"documents\[1\]: its text is 5"),  # type: ignore[arg-type]
    ],
)
def test_documents_that_are_none_are_refused(reranker: Reranker, given: Any, told: str) -> None:
    with pytest.raises(InputError, match=f"^{told}") as caught:
        reranker.rank("oak", given)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=rf"^queries\[1\]: {told}"):
        reranker.rank_many(["oak", "elm"], [["red oak"], given])


@pytest.mark.parametrize("query", [None, 7, ["oak"], b"oak"])
def test_a_query_that_is_no_text_is_refused(reranker: Reranker, query: Any) -> None:
    with pytest.raises(InputError, match="query: expected a text, got "):
        reranker.rank(query, ["red oak"])
    with pytest.raises(InputError, match="query 'q1': expected a text, got "):
        Candidates("q1", query, (Document("a", "", "x"),))


@pytest.mark.parametrize("query", ["", " \n", "\u200b", "\ufeff\x00"])
def test_a_query_without_text_is_refused(reranker: Reranker, query: str) -> None:
    with pytest.raises(InputError, match="has no text"):
        reranker.rank(query, ["red oak"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"ids": ["a"]}, "ids: 1 for 2 documents"),
        ({"ids": "ab"}, "ids: expected one per document, got 'ab'"),
        ({"ids": [1.5, 2]}, r"ids\[0\] is 1\.5"),
        ({"ids": [True, False]}, r"ids\[0\] is True"),
        ({"top_k": 0}, "top_k: expected a whole number from 1 on, got 0"),
        ({"top_k": 2.5}, "top_k: expected a whole number"),
        ({"beyond": "drop"}, "beyond: 'drop' is unknown; known: windows, append"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    reranker: Reranker, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=f"^{told}"):
        reranker.rank("oak", ["red oak", "elm"], **options)


def test_any_iterable_of_texts_documents_and_mappings_is_ranked(reranker: Reranker) -> None:
    ranked = reranker.rank("oak", TEXTS[:4])
    assert sorted(indices(ranked)) == [0, 1, 2, 3]
    assert [document.rank for document in ranked] == [1, 2, 3, 4]
    assert [document.text for document in ranked] == [TEXTS[i] for i in indices(ranked)]
    for other in (
        tuple(TEXTS[:4]),
        iter(TEXTS[:4]),
        (Document("", "", text) for text in TEXTS[:4]),
        [{"text": text} for text in TEXTS[:4]],
    ):
        assert reranker.rank("oak", other) == ranked
    assert reranker.rank("oak", []) == []


def test_a_document_keeps_the_id_that_it_was_given(reranker: Reranker) -> None:
    given = ["red oak", {"text": "elm", "id": "x"}, Document("y", "t", "ash"), {"text": "fir", "_id": 7}]
    found = {d.index: d.id for d in reranker.rank("oak", given)}
    assert found == {0: 0, 1: "x", 2: "y", 3: 7}
    # They need not be unique: a caller that sends a document twice gets it back twice.
    named = reranker.rank("oak", given, ids=["a", "b", "a", 9])
    assert {d.index: d.id for d in named} == {0: "a", 1: "b", 2: "a", 3: 9}
    assert next(d.title for d in named if d.index == 2) == "t"


def test_the_best_k_are_the_first_k_of_all(reranker: Reranker) -> None:
    ranked = reranker.rank("oak", TEXTS)
    assert reranker.rank("oak", TEXTS, top_k=3) == ranked[:3]
    assert reranker.rank("oak", TEXTS, top_k=50) == ranked


def test_many_queries_are_ranked_as_each_alone(reranker: Reranker) -> None:
    queries, lists = ["red oak", "elm", "fir"], [TEXTS[:5], [], TEXTS[3:9]]
    together = reranker.rank_many(queries, lists, top_k=4, progress=False)
    alone = [reranker.rank(query, texts, top_k=4) for query, texts in zip(queries, lists, strict=True)]
    assert [indices(ranking) for ranking in together] == [indices(ranking) for ranking in alone]
    for one, other in zip(together, alone, strict=True):
        assert [d.score for d in one] == pytest.approx([d.score for d in other], abs=1e-5)
    with pytest.raises(InputError, match="documents: 1 for 2 queries"):
        reranker.rank_many(["oak", "elm"], [TEXTS])
    with pytest.raises(InputError, match="queries: expected a list"):
        reranker.rank_many("oak", [TEXTS])  # type: ignore[arg-type]


def test_documents_beyond_the_depth_are_ranked_in_windows_or_follow(adapter: Path) -> None:
    short = Reranker.load(adapter, depth=4)
    appended = short.rank("oak", TEXTS, beyond="append")
    assert sorted(indices(appended[:4])) == [0, 1, 2, 3]
    assert indices(appended[4:]) == [4, 5, 6, 7, 8, 9, 10]
    assert [d.reranked for d in appended] == [True] * 4 + [False] * 7
    assert {d.score for d in appended[4:]} == {appended[3].score}
    assert indices(appended[:4]) == indices(short.rank("oak", TEXTS[:4]))

    ranked = short.rank("oak", TEXTS, progress=False)
    assert sorted(indices(ranked)) == list(range(11))
    assert all(d.reranked for d in ranked)
    assert [d.score for d in ranked] == [float(n) for n in range(11, 0, -1)]
    # By hand: the last four, then each time two more before the better two.
    order = list(range(11))
    for start, stop in ((7, 11), (5, 9), (3, 7), (1, 5), (0, 3)):
        part = order[start:stop]
        order[start:stop] = [part[d.index] for d in short.rank("oak", [TEXTS[i] for i in part])]
    assert indices(ranked) == order


@pytest.mark.parametrize("beyond", ["windows", "append"])
def test_no_pass_is_longer_than_the_model_has_positions(adapter: Path, beyond: Any) -> None:
    reranker = Reranker.load(adapter)
    limit = most_positions(reranker.ready.backbone.model.config)
    # Of 40 such documents at most a few fit; one of them is much longer than the others.
    texts = ["oak " * 40] * 12 + ["elm " * 120] + ["fir " * 40] * 12
    assert reranker.ready.builder is not None
    whole = reranker.ready.builder.build("oak", [Document("", "", text) for text in texts])
    assert positions_of(whole) > limit
    ranked = reranker.rank("oak", texts, beyond=beyond, progress=False)
    assert sorted(indices(ranked)) == list(range(25))
    if beyond == "append":
        read = sum(d.reranked for d in ranked)
        assert 2 < read < 25
        fitting = [Document("", "", text) for text in texts[: read + 1]]
        assert positions_of(reranker.ready.builder.build("oak", fitting)) > limit


@pytest.mark.parametrize("name", [name for name, entry in METHODS.items() if not entry.studies_only])
def test_every_method_that_needs_no_heads_ranks(name: str) -> None:
    entry = METHODS[name]
    needy = entry.kind == "trained" or (isinstance(entry, Frozen) and (entry.head_set or entry.routed))
    if needy:
        with pytest.raises(InputError, match=f"^method {name}: needs (adapter|heads), "):
            Reranker(name, checkpoint("qwen3"))
        return
    reranker = Reranker(name, checkpoint("qwen3"))
    assert reranker.name == name
    assert sorted(indices(reranker.rank("oak", TEXTS[:5]))) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", ["core", "qrhead", "core-faithful", "selective-icr"])
def test_a_method_on_chosen_heads_ranks_with_them(name: str, tmp_path: Path) -> None:
    heads = tmp_path / "heads.json"
    HEADS.save(heads)
    reranker = Reranker(name, checkpoint("qwen3"), heads=heads)
    assert reranker.ready.backbone.depth == HEADS.depth
    assert sorted(indices(reranker.rank("oak", TEXTS[:5]))) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "method headrank: needs adapter, the folder that training wrote"),
        ({"method": "icr"}, "method icr: needs backbone"),
        ({"method": "irc", "backbone": "x"}, "method irc: unknown; did you mean 'icr'?"),
        ({"method": "bm25", "backbone": "x"}, "method bm25: unknown"),
        ({"method": "icr", "backbone": "x", "heads": "h"}, "method icr: takes no heads"),
        ({"method": "icr", "adapter": "x"}, "method icr: is not trained; leave adapter out"),
        (
            {"method": "rankgpt", "backbone": "x", "order": "best-last"},
            "method rankgpt: has an order of its own",
        ),
        (
            {"method": "icr-faithful", "backbone": "x", "order": "best-last"},
            "method icr-faithful: has an order",
        ),
        ({"adapter": "x", "family": "qwen3"}, "family: an adapter keeps the chat frame"),
        ({"adapter": "x", "depth": 1}, "depth: expected a whole number from 2 on, got 1"),
        (
            {"method": "icr-faithful", "backbone": "x", "truncate_words": 5},
            "method icr-faithful: cuts passages",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_anything_is_read(
    options: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=f"^{told}"):
        Reranker(**options)


def test_the_order_in_the_prompt_can_be_chosen(adapter: Path) -> None:
    first = Reranker.load(adapter).rank("oak", TEXTS)
    last = Reranker.load(adapter, order="best-last").rank("oak", TEXTS[::-1])
    assert [d.text for d in last] == [d.text for d in first]
    with pytest.raises(InputError, match=r"candidates\.order: .*'worst'"):
        Reranker.load(adapter, order="worst")


def test_the_length_of_documents_can_be_chosen(adapter: Path) -> None:
    chinese = "红橡树是一种落叶乔木。" * 50
    documents = [Document("a", "", chinese), Document("b", "", "red oak " * 30)]

    def lengths(reranker: Reranker) -> list[int]:
        assert reranker.ready.builder is not None
        return [stop - start for start, stop in reranker.ready.builder.build("oak", documents).text]

    assert lengths(Reranker.load(adapter, truncate_tokens=20)) == [20, 20]
    assert lengths(Reranker.load(adapter, truncate_words=5)) == [5, len(" red oak red oak red")]
    with pytest.raises(InputError, match=r"passages\.truncate_tokens: expected at least 1, got 0"):
        Reranker.load(adapter, truncate_tokens=0)


def test_threads_share_a_reranker_without_disturbing_each_other(reranker: Reranker) -> None:
    queries = ["red oak", "elm", "stone river", "cloud"] * 3
    alone = [reranker.rank(query, TEXTS, progress=False) for query in queries]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda query: reranker.rank(query, TEXTS, progress=False), queries))
    assert together == alone


def test_a_rerankers_arguments_make_it_again(adapter: Path) -> None:
    first = Reranker("icr", checkpoint("qwen3"), depth=4, truncate_words=2, device="cpu")
    assert first.arguments == {
        "method": "icr",
        "backbone": str(checkpoint("qwen3")),
        "depth": 4,
        "truncate_words": 2,
        "device": "cpu",
    }
    again = Reranker(**first.arguments)
    assert again.rank("oak", TEXTS, progress=False) == first.rank("oak", TEXTS, progress=False)
    assert Reranker.load(adapter).arguments == {"adapter": str(adapter)}
