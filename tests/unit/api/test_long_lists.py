"""Lists that take several passes: which passes, what is ranked first, and how many passes it takes."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import checkpoint, passages

from headrank import RankedDocument, Reranker
from headrank.api.windows import Groups, Plan, passes, sliding, tournament
from headrank.data.beir import Document
from headrank.engine.backbone import load_backbone
from headrank.heads.head_set import HeadSet
from headrank.prompts.builder import Prompt
from headrank.settings import Settings, TrainingSettings, to_mapping
from headrank.training.adapter import attach_lora, save_adapter


def ranked_by(plan: Plan, worth: Sequence[float]) -> tuple[list[int], list[Groups]]:
    """The order that a plan comes to if every pass ranks by these numbers, and the rounds that it asked for."""
    rounds = [next(plan)]
    while True:
        try:
            rounds.append(plan.send([sorted(group, key=lambda i: (-worth[i], i)) for group in rounds[-1]]))
        except StopIteration as end:
            return end.value, rounds


worths = st.lists(st.integers(0, 50), min_size=1, max_size=90)


@settings(max_examples=200, deadline=None)
@given(worths, st.integers(2, 12), st.integers(1, 12) | st.none())
def test_a_tournament_ranks_every_document_once_in_groups_that_fit(
    worth: list[int], size: int, top: int | None
) -> None:
    order, rounds = ranked_by(tournament(len(worth), size, top), worth)
    assert sorted(order) == list(range(len(worth)))
    for groups in rounds:
        assert all(1 <= len(group) <= size for group in groups)
        # In each group the first stage's order stands, since it breaks ties.
        assert all(group == sorted(group) for group in groups)
        members = [place for group in groups for place in group]
        assert len(set(members)) == len(members)
        assert max(map(len, groups)) - min(map(len, groups)) <= 1
    assert len(rounds[-1]) == 1
    assert passes(tournament(len(worth), size, top)) == sum(map(len, rounds))


@settings(max_examples=200, deadline=None)
@given(worths, st.integers(2, 12), st.integers(1, 12))
def test_a_tournament_finds_the_best_that_were_asked_for_if_passes_agree(
    worth: list[int], size: int, top: int
) -> None:
    top = min(top, size // 2)
    order, _ = ranked_by(tournament(len(worth), size, top), worth)
    assert order[:top] == sorted(range(len(worth)), key=lambda i: (-worth[i], i))[:top]


def test_documents_that_fell_behind_follow_by_round_and_place() -> None:
    # Worth falls with the place. Groups of the first round: 0 3 6, 1 4 7, 2 5 8; one of each goes on.
    order, rounds = ranked_by(tournament(9, 3), list(range(9, 0, -1)))
    assert rounds == [[[0, 3, 6], [1, 4, 7], [2, 5, 8]], [[0, 1, 2]]]
    assert order == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    # Worth rises with it. Of the first round remain 3, 4, 5, then 0, 1, 2: by place in the group, not by worth.
    order, rounds = ranked_by(tournament(9, 3), list(range(9)))
    assert rounds[1] == [[6, 7, 8]]
    assert order == [8, 7, 6, 3, 4, 5, 0, 1, 2]
    # Two rounds of groups: 12 = 4 groups of 3, then 2 groups of 2, then one pass of 2.
    order, rounds = ranked_by(tournament(12, 3), list(range(12, 0, -1)))
    assert [len(groups) for groups in rounds] == [4, 2, 1]
    assert order[:4] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("count", "size", "top", "expected"),
    [
        # 1000 documents in passes of 40. Windows: the last 40, then 20 more each time.
        (1000, 40, None, (1 + ceil(960 / 20), 25 + 13 + 7 + 4 + 2 + 1, 6)),
        # 250 go on, then 70, then 20.
        (1000, 40, 10, (49, 25 + 7 + 2 + 1, 4)),
        (100, 40, None, (4, 3 + 2 + 1, 3)),
        (100, 40, 10, (4, 3 + 1, 2)),
        (40, 40, None, (1, 1, 1)),
        (41, 40, None, (2, 3, 2)),
    ],
)
def test_how_many_passes_and_rounds_lists_take(
    count: int, size: int, top: int | None, expected: tuple[int, int, int]
) -> None:
    _, rounds = ranked_by(tournament(count, size, top), [0] * count)
    found = passes(sliding(count, size)), passes(tournament(count, size, top)), len(rounds)
    assert found == expected


def test_sliding_windows_carry_the_better_half_to_the_front() -> None:
    # The best document is the last one.
    order, rounds = ranked_by(sliding(9, 4), list(range(9)))
    assert rounds == [[[5, 6, 7, 8]], [[3, 4, 8, 7]], [[1, 2, 8, 7]], [[0, 8, 7]]]
    assert order == [8, 7, 0, 2, 1, 4, 3, 6, 5]


TEXTS = [document.text for document in passages(11)]


def icr(**options: Any) -> Reranker:
    return Reranker("icr", checkpoint("qwen3"), **options)


def indices(ranking: Sequence[RankedDocument]) -> list[int]:
    return [document.index for document in ranking]


def spied(reranker: Reranker, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Prompt]]:
    """(documents, prompt) of each pass from now on."""
    builder = reranker.ready.builder
    assert builder is not None
    made: list[tuple[int, Prompt]] = []
    build = builder.build

    def spy(query: str, documents: Sequence[Document], most_tokens: int | None = None) -> Prompt:
        prompt = build(query, documents, most_tokens)
        made.append((len(documents), prompt))
        return prompt

    monkeypatch.setattr(builder, "build", spy)
    return made


def test_a_tournament_of_a_real_model_is_the_passes_that_its_rounds_say() -> None:
    short = icr(depth=4)
    ranked = short.rank("oak", TEXTS, beyond="tournament", progress=False)
    assert sorted(indices(ranked)) == list(range(11))
    assert all(d.reranked for d in ranked)
    assert [d.score for d in ranked] == [float(n) for n in range(11, 0, -1)]
    # By hand, from single passes: 11 documents in three groups, the best two of each, then two groups, one pass.
    behind: list[int] = []
    field = list(range(11))
    for number in (3, 2):
        groups = [
            [group[d.index] for d in short.rank("oak", [TEXTS[i] for i in group])]
            for group in (field[first::number] for first in range(number))
        ]
        third = sorted(g[2] for g in groups if len(g) > 2)
        fourth = sorted(g[3] for g in groups if len(g) > 3)
        behind = [*third, *fourth, *behind]
        field = sorted(i for g in groups for i in g[:2])
    last = [field[d.index] for d in short.rank("oak", [TEXTS[i] for i in field])]
    assert indices(ranked) == last + behind
    assert indices(short.rank("oak", TEXTS, beyond="tournament", progress=False)) == indices(ranked)


def test_a_list_that_fits_one_pass_has_the_methods_own_scores() -> None:
    whole = icr(depth=11)
    assert whole.rank("oak", TEXTS, beyond="tournament") == whole.rank("oak", TEXTS)


def test_a_tournament_for_the_best_few_takes_fewer_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    short = icr(depth=4)
    made = spied(short, monkeypatch)
    taken = []
    for top_k in (None, 1):
        made.clear()
        ranked = short.rank("oak", TEXTS, top_k=top_k, beyond="tournament", progress=False)
        assert len(ranked) == (top_k or 11)
        # One more prompt is made to see how many documents fit.
        taken.append(len(made) - 1)
    assert taken == [passes(tournament(11, 4)), passes(tournament(11, 4, 1))]
    assert taken[1] < taken[0]


@pytest.mark.parametrize("beyond", ["windows", "tournament"])
def test_documents_are_cut_to_their_tokens_in_every_pass(
    beyond: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reranker = icr(depth=4, truncate_tokens=7)
    made = spied(reranker, monkeypatch)
    texts = ["red oak stone " * (1 + i) for i in range(11)]
    reranker.rank("oak", texts, beyond=beyond, progress=False)
    assert len(made) > 3
    for _, prompt in made:
        assert {stop - start for start, stop in prompt.text} == {7}


def test_lists_of_several_queries_take_their_rounds_together() -> None:
    short = icr(depth=4)
    lists = [TEXTS, TEXTS[:3], TEXTS[2:9]]
    together = short.rank_many(["oak", "elm", "red"], lists, beyond="tournament", progress=False)
    alone = [
        short.rank(query, listed, beyond="tournament", progress=False)
        for query, listed in zip(["oak", "elm", "red"], lists, strict=True)
    ]
    assert [indices(r) for r in together] == [indices(r) for r in alone]


def test_documents_that_are_read_independently_take_one_pass_whatever_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = HeadSet("comprank", "tiny", 4, 4, tuple((1, head) for head in range(4)), (1.0,) * 4)
    backbone = load_backbone(checkpoint("qwen3"), heads.depth)
    settings = Settings.from_mapping({"encoding": {"documents": "independent"}, "loss": {"form": "pointer"}})
    model = attach_lora(backbone, heads, TrainingSettings(lora_r=4))
    save_adapter(model, tmp_path / "adapter", backbone, heads, to_mapping(settings))
    reranker = Reranker.load(tmp_path / "adapter", depth=4)
    made = spied(reranker, monkeypatch)
    for beyond in ("windows", "tournament", "append"):
        made.clear()
        ranked = reranker.rank("oak", TEXTS, beyond=beyond)  # type: ignore[arg-type]
        assert sum(d.reranked for d in ranked) == (4 if beyond == "append" else 11)
        if beyond != "append":
            # Each document is computed once, and the scores are the method's own.
            assert [count for count, _ in made] == [11]
            assert [d.score for d in ranked] != [float(n) for n in range(11, 0, -1)]
