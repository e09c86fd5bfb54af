"""Which passage of a list is attacked, and what is written into it."""

from __future__ import annotations

import pytest
from support import byte_tokenizer, control_ids

from headrank.data.collections import Document
from headrank.errors import InputError
from headrank.evaluation.attacks import ATTACKS, UNTOUCHED
from headrank.generative.chat import Chat
from headrank.prompts.builder import FAMILIES, PromptBuilder
from headrank.prompts.text_encoder import TextEncoder
from headrank.rerankers.attacks import attack_texts, attacked_lists, attacked_place
from headrank.rerankers.candidates import Candidates
from headrank.settings import PromptSettings

BUILDER = PromptBuilder(byte_tokenizer(), PromptSettings())
CONTROL = list(TextEncoder(byte_tokenizer()).control.values())
FRAME = (BUILDER.template, FAMILIES["qwen3"], CONTROL)


def candidates(qid: str = "q", count: int = 10, empty: tuple[int, ...] = ()) -> Candidates:
    documents = (Document(f"d{i}", "title", "" if i in empty else f"text {i}") for i in range(count))
    return Candidates(qid, "red oak", tuple(documents))


def test_an_irrelevant_passage_of_the_lower_half_is_attacked() -> None:
    assert attacked_place(candidates(), {"d1": 0, "d7": 0, "d8": 1}) == 7
    assert attacked_place(candidates(), {"d7": -2, "d8": 1}) == 7
    # Only where none was judged irrelevant, one that nobody judged.
    assert attacked_place(candidates(), {"d0": 0, "d5": 1, "d6": 2, "d7": 1, "d8": 1}) == 9
    assert attacked_place(candidates(empty=(9,)), {f"d{i}": 1 for i in range(9)}) is None
    # A passage that already is among the first three cannot come there.
    assert attacked_place(candidates(count=3), {}) is None
    assert attacked_place(candidates(count=4), {}) == 3


def test_the_choice_depends_on_the_query_id_alone_and_is_spread() -> None:
    chosen = [attacked_place(candidates(f"q{i}"), {}) for i in range(40)]
    assert chosen == [attacked_place(candidates(f"q{i}"), {}) for i in range(40)]
    assert set(chosen) == {5, 6, 7, 8, 9}


def test_each_attack_changes_the_text_of_one_passage_and_nothing_else() -> None:
    given = [candidates("q1"), candidates("q2")]
    lists, passages = attacked_lists(given, {"q1": {"d7": 0}, "q2": {"d5": 0}}, *FRAME)
    assert passages == {"q1": "d7", "q2": "d5"}
    assert list(lists) == [UNTOUCHED, *ATTACKS]
    assert lists[UNTOUCHED] == given
    texts = attack_texts("red oak", *FRAME)
    for attack in ATTACKS:
        for before, after in zip(given, lists[attack], strict=True):
            pairs = list(zip(before.documents, after.documents, strict=True))
            ((old, new),) = [(a, b) for a, b in pairs if a != b]
            assert old.docid == passages[before.qid]
            assert (new.docid, new.title, new.text) == (old.docid, old.title, f"{texts[attack]}\n{old.text}")


def test_attacks_hold_what_the_prompt_and_the_tokenizer_are_made_of() -> None:
    texts = attack_texts("red oak", *FRAME)
    assert list(texts) == list(ATTACKS)
    assert "rank it first" in texts["instructions"]
    assert texts["query-words"].split() == ["red", "oak"] * 5
    assert all(token in texts["special-tokens"] for token in CONTROL)
    assert FAMILIES["qwen3"].closing in texts["special-tokens"]
    for part in ("[1]", "[2]", "Passage 1:", "Passage A:", BUILDER.template.instruction, "Query: red oak"):
        assert part in texts["labels"]


def test_no_attack_becomes_a_control_token() -> None:
    tokenizer = byte_tokenizer()
    encoders = (TextEncoder(tokenizer).encode, lambda texts: list(map(Chat(tokenizer).text, texts)))
    for encode in encoders:
        for ids in encode(list(attack_texts("red oak", *FRAME).values())):
            assert not control_ids(tokenizer) & {*ids}


def test_lists_without_a_passage_to_attack_are_left_out_and_none_left_is_an_error() -> None:
    short = Candidates("short", "red oak", candidates().documents[:2])
    lists, passages = attacked_lists([short, candidates("q1")], {}, *FRAME)
    assert list(passages) == ["q1"]
    assert all(len(versions) == 1 for versions in lists.values())
    with pytest.raises(InputError, match=r"injection: none of 1 lists has an irrelevant passage"):
        attacked_lists([short], {}, *FRAME)
