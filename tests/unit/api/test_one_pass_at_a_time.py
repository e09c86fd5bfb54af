"""Passes that a caller makes itself: several queries in each, and documents cut at a query's own length."""

from __future__ import annotations

import pytest
from support import builder, checkpoint, passages

from headrank import RankedDocument, Reranker
from headrank.errors import InputError
from headrank.prompts import builder as prompts

TEXTS = [document.text for document in passages(11)]


def together(reranker: Reranker, queries: dict[str, list[str]]) -> dict[str, list[RankedDocument]]:
    """Each query's ranking, the passes of all in one as long as they go on."""
    going = {q: reranker.passes(f"oak {q}", texts, name=q) for q, texts in queries.items()}
    asked = {q: next(each) for q, each in going.items()}
    found = {}
    while asked:
        frame = reranker.ready.rank([*asked.values()], 10**6)
        for q in list(asked):
            try:
                asked[q] = going[q].send(frame[frame["qid"] == q])
            except StopIteration as end:
                found[q] = end.value
                del asked[q]
    return found


def test_shared_passes_rank_as_each_query_alone() -> None:
    reranker = Reranker("icr", checkpoint("qwen3"), depth=4)
    # Four, one and two windows.
    queries = {"a": TEXTS[:9], "b": TEXTS[3:6], "c": TEXTS[5:10]}
    found = together(reranker, queries)
    for q, texts in queries.items():
        alone = reranker.rank(f"oak {q}", texts, progress=False)
        assert [d.index for d in found[q]] == [d.index for d in alone]
        assert [d.score for d in found[q]] == pytest.approx([d.score for d in alone], rel=1e-5, abs=1e-7)
        assert [d.text for d in found[q]] == [d.text for d in alone]


@pytest.mark.parametrize("method", ["icr", "reattn-icr", "yes-no"])
def test_a_query_may_cut_its_documents_further(method: str) -> None:
    whole = Reranker(method, checkpoint("qwen3"))
    cut = Reranker(method, checkpoint("qwen3"), truncate_tokens=9)
    ranked = whole.passes("oak and elm", TEXTS[:4], most_tokens=9)
    frame = whole.ready.rank([next(ranked)])
    with pytest.raises(StopIteration) as end:
        ranked.send(frame)
    scores = [(d.index, d.score) for d in end.value.value]
    assert scores == [(d.index, d.score) for d in cut.rank("oak and elm", TEXTS[:4], progress=False)]
    assert scores != [(d.index, d.score) for d in whole.rank("oak and elm", TEXTS[:4], progress=False)]


def test_no_documents_need_no_pass() -> None:
    reranker = Reranker("icr", checkpoint("qwen3"))
    with pytest.raises(StopIteration) as end:
        next(reranker.passes("oak", []))
    assert end.value.value == []
    with pytest.raises(InputError, match="has no text"):
        next(reranker.passes(" ", TEXTS))
    with pytest.raises(InputError, match="top_k: expected"):
        next(reranker.passes("oak", TEXTS, top_k=0))


def test_a_process_does_not_keep_every_passage_that_it_has_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "_KEPT_TOKENS", 200)
    one, fresh = builder(), builder()
    for start in range(0, 40, 4):
        listed = passages(40)[start : start + 4]
        assert one.build("oak", listed) == fresh.build("oak", listed)
        longest = sum(stop - begin for begin, stop in one.build("oak", listed).text)
        assert sum(map(len, one._passages.values())) <= 200 + longest
    assert sum(map(len, one._passages.values())) < sum(len(d.text) for d in passages(40))
