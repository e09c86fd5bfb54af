"""The tokens that answers are read from: those that the model would write where it would write them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import SCHEMES, marking_tokenizer, passages, tiny_config
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from headrank.data.collections import Document
from headrank.engine.backbone import Backbone
from headrank.errors import InputError
from headrank.generative.answers import part, stems
from headrank.generative.chat import Chat, mark
from headrank.generative.listwise import conversation
from headrank.generative.settings import GenerativeSettings
from headrank.methods.ask import rerank_asked
from headrank.planted.tokenizer import CHAT_TEMPLATE
from headrank.rerankers import Candidates

LETTERS = "ABCDEFGHIJKLMNOPQRST"
TURNS = [("user", f"Q:{mark(0)}?")]
# Mistral's: a blank before answers, no system turn.
MISTRAL = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] + eos_token }}"
    "{% else %}{{ raise_exception('no such turn') }}{% endif %}{% endfor %}"
)


def merging_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level as Qwen's: "[A" is one token, and so for every letter but O."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("[", c) for c in LETTERS if c != "O"]
    vocabulary = {piece: i for i, piece in enumerate([*alphabet, *map("".join, merges)])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    pieces = pre_tokenizers.Split(Regex(r"[^\r\n\p{L}\p{N}]?\p{L}+|\s+|."), behavior="isolated")
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pieces, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t in ("<|im_start|>", "<|im_end|>")]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        clean_up_tokenization_spaces=False,
    )


def model_that_says(
    tokenizer: Any, preferred: Mapping[str, float], template: str = CHAT_TEMPLATE
) -> Backbone:
    """A tiny Llama whose logits are the same everywhere: those given for some tokens, 0 for all others."""
    torch.manual_seed(0)
    tokenizer.chat_template = template
    model: Any = AutoModelForCausalLM.from_config(tiny_config("llama", vocab_size=len(tokenizer))).eval()
    model.lm_head = nn.Linear(model.config.hidden_size, len(tokenizer), bias=True)
    nn.init.zeros_(model.lm_head.weight)
    nn.init.zeros_(model.lm_head.bias)
    with torch.no_grad():
        for token, logit in preferred.items():
            model.lm_head.bias[tokenizer.convert_tokens_to_ids(token)] = logit
    return Backbone("tiny", model, tokenizer, 4, 6, 4)


def random_model(tokenizer: Any, template: str) -> Backbone:
    torch.manual_seed(1)
    tokenizer.chat_template = template
    model = AutoModelForCausalLM.from_config(tiny_config("llama", vocab_size=len(tokenizer))).eval()
    return Backbone("tiny", model, tokenizer, 4, 6, 4)


def ranked(name: str, backbone: Backbone, count: int = 3, **settings: Any) -> list[str]:
    candidates = [Candidates("q", "red oak", tuple(passages(count)))]
    frame, _ = rerank_asked(name, backbone, candidates, GenerativeSettings(**settings))
    return list(frame["docid"])


# --- which tokens ---


def test_where_answers_part_and_what_tells_them_apart():
    assert part([(1, 2, 5), (1, 2, 6)], (1, 2), "ab") == (2, ((5,), (6,)))
    # A blank that all answers begin with belongs to the prompt.
    assert part([(1, 2, 5), (1, 2, 6)], (1,), "ab") == (2, ((5,), (6,)))
    # The prompt's last token becomes part of an answer's.
    assert part([(1, 7), (1, 2, 5), (1, 2, 6)], (1, 2), "abc") == (1, ((7,), (2, 5), (2, 6)))
    assert part([(1, 2, 5, 6)], (1, 2), "a") == (2, ((5,),))
    # Only one answer begins with the prompt's last token, which does not make that token the answer.
    assert part([(1, 7, 9), (1, 8, 9), (1, 2, 5, 9)], (1, 2), "abc") == (1, ((7,), (8,), (2, 5)))
    assert part([(1, 3, 5, 6), (1, 3, 5, 7)], (1,), "ab") == (3, ((6,), (7,)))
    assert part([(1, 7)], (1, 2), "a") == (1, ((7,),))
    with pytest.raises(InputError, match="does not tell 'a' from the other answers"):
        part([(1, 2), (1, 2, 5)], (1,), "ab")


def test_what_is_read_for_the_probabilities_of_words():
    assert stems([(5,), (6,)]) == [()]
    assert stems([(7,), (2, 5), (2, 6)]) == [(2,)]
    assert stems([(2, 5, 8), (2, 6), (3, 4)]) == [(2, 5), (3,)]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_letter_after_a_bracket_has_no_mark_and_one_after_a_blank_has(scheme: str):
    tokenizer = marking_tokenizer(scheme)
    tokenizer.chat_template = CHAT_TEMPLATE
    chat = Chat(tokenizer)
    for prefill, answers, expected in [
        ("[", ["A", "B"], ["A", "B"]),
        (" Passage:", [" A", " B"], ["▁A", "▁B"]),
        ("", ["Yes", "No"], ["Yes", "No"]),
    ]:
        prompt, words = chat.choices(TURNS, [chat.text(" oak")], answers, prefill)
        assert [tokenizer.convert_ids_to_tokens(list(word)) for word in words] == [[e] for e in expected]
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": "Q: oak?"}], tokenize=False, add_generation_prompt=True
        )
        both = tokenizer(f"{text}{prefill}{answers[1]}", add_special_tokens=False)["input_ids"]
        assert both[: len(prompt) + 1] == [*prompt, *words[1]]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_blank_that_a_template_puts_before_answers_belongs_to_them(scheme: str):
    tokenizer = marking_tokenizer(scheme)
    tokenizer.chat_template = MISTRAL
    chat = Chat(tokenizer)
    _, words = chat.choices(TURNS, [chat.text(" oak")], ["Yes", "No"])
    assert [tokenizer.convert_ids_to_tokens(list(word)) for word in words] == [["▁Yes"], ["▁No"]]
    _, words = chat.choices(TURNS, [chat.text(" oak")], ["A]", "B]"], "[")
    assert [tokenizer.convert_ids_to_tokens(list(word)) for word in words] == [["A"], ["B"]]
    _, answer = chat.continued(TURNS, [chat.text(" oak")], "A b")
    assert tokenizer.decode(answer).split() == ["A", "b"]
    assert tokenizer.convert_ids_to_tokens(answer[0]) == "▁A"


def test_qwen3_s_letters_are_those_behind_a_bracket(shared_data: Path):
    folder = shared_data / "qwen3-tokenizer"
    if not (folder / "tokenizer.json").is_file():
        pytest.skip("no Qwen3 tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    chat = Chat(tokenizer)
    prompt, words = chat.choices(TURNS, [chat.text(" oak")], [f"{c}]" for c in LETTERS], "[")
    spelt = {c: tokenizer.convert_ids_to_tokens(list(word)) for c, word in zip(LETTERS, words, strict=True)}
    assert spelt == {c: ["[", c] if c in "OQ" else [f"[{c}"] for c in LETTERS}
    assert tokenizer.decode(prompt).endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    # An untrusted answer that spells out a control token remains text.
    prompt, answer = chat.continued(TURNS, [chat.text(" oak")], "oak<|im_end|>")
    assert tokenizer.convert_tokens_to_ids("<|im_end|>") not in answer
    assert tokenizer.decode(answer) == "oak<|im_end|>"
    prompt, answer = chat.continued(TURNS, [chat.text(" oak")], "oak tree")
    assert tokenizer.convert_ids_to_tokens(list(answer)) == ["o", "ak", "Ġtree"]


# --- rankings ---


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("template", [CHAT_TEMPLATE, MISTRAL])
def test_first_ranks_by_the_letters_that_the_model_writes(scheme: str, template: str):
    says = {"C": 3.0, "B": 2.0, "A": 1.0, "▁A": 9.0, "▁B": 8.0, "▁C": 7.0}
    assert ranked("first", model_that_says(marking_tokenizer(scheme), says, template)) == ["d2", "d1", "d0"]


def test_first_ranks_by_letters_that_are_one_token_with_the_bracket():
    says = {"[C": 3.0, "[B": 2.0, "[A": 1.0, "A": 9.0, "B": 8.0, "C": 7.0}
    assert ranked("first", model_that_says(merging_tokenizer(), says)) == ["d2", "d1", "d0"]


def test_first_ranks_letters_of_one_and_of_two_tokens_by_their_probability():
    """O is "[" and then "O": as probable as both together."""
    backbone = random_model(merging_tokenizer(), CHAT_TEMPLATE)
    candidates = [Candidates("q", "red oak", tuple(passages(20)))]
    frame, calls = rerank_asked("first", backbone, candidates, GenerativeSettings())
    chat, tokenizer = Chat(backbone.tokenizer), backbone.tokenizer
    bodies = [" ".join(part for part in (d.title, d.text) if part) for d in candidates[0].documents]
    texts = [chat.text(" red oak"), *(chat.text(f" {body}") for body in bodies)]
    ids = list(chat.prompt(conversation(LETTERS), texts))

    def logs(ids: Sequence[int]) -> torch.Tensor:
        model: Any = backbone.model
        with torch.no_grad():
            return model(input_ids=torch.tensor([list(ids)])).logits[0, -1].log_softmax(dim=-1)

    bracket = tokenizer.convert_tokens_to_ids("[")
    first, second = logs(ids), logs([*ids, bracket])
    expected = {c: float(first[tokenizer.convert_tokens_to_ids(f"[{c}")]) for c in LETTERS if c != "O"}
    expected["O"] = float(first[bracket] + second[tokenizer.convert_tokens_to_ids("O")])
    order = sorted(LETTERS, key=lambda c: -expected[c])
    assert list(frame["docid"]) == [f"d{LETTERS.index(c)}" for c in order]
    assert len(calls) == 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_setwise_ranks_by_the_letters_after_the_blank(scheme: str):
    says = {"▁C": 3.0, "▁B": 2.0, "▁A": 1.0, "A": 9.0, "B": 8.0, "C": 7.0}
    assert ranked("setwise-single", model_that_says(marking_tokenizer(scheme), says)) == ["d2", "d1", "d0"]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("template", "before"), [(CHAT_TEMPLATE, ""), (MISTRAL, " ")])
def test_pointwise_scores_are_those_of_the_whole_text_tokenised_as_one(
    scheme: str, template: str, before: str
):
    backbone = random_model(marking_tokenizer(scheme), template)
    tokenizer: Any = backbone.tokenizer
    model: Any = backbone.model
    document = Document("d", "", "elm tree")

    def rendered(content: str) -> str:
        messages = [{"role": "user", "content": content}]
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    def logits(of: list[int]) -> torch.Tensor:
        with torch.no_grad():
            return model(input_ids=torch.tensor([of])).logits[0]

    def score(name: str) -> float:
        c = Candidates("q", "red oak", (document,))
        return float(rerank_asked(name, backbone, [c], GenerativeSettings())[0]["score"].iloc[0])

    text = rendered(
        "Passage: elm tree\nQuery: red oak\nDoes the passage answer the query? Answer 'Yes' or 'No'"
    )
    yes, no = ids(f"{text}{before}Yes"), ids(f"{text}{before}No")
    assert yes[:-1] == no[:-1]
    row = logits(yes)[-2]
    assert score("yes-no") == pytest.approx(float(row[yes[-1]] - row[no[-1]]), abs=1e-4)

    text = rendered("Passage: elm tree\nPlease write a question based on this passage.")
    whole = ids(f"{text}{before}red oak")
    count = len(whole) - len(ids(text))
    rows = logits(whole).log_softmax(dim=-1)
    expected = np.mean([float(rows[i - 1, whole[i]]) for i in range(len(whole) - count, len(whole))])
    assert score("query-likelihood") == pytest.approx(expected, abs=1e-4)


def test_a_template_that_fails_is_named():
    backbone = model_that_says(marking_tokenizer("first"), {}, "{{ raise_exception('not today') }}")
    for name in ("yes-no", "first"):
        with pytest.raises(InputError, match="chat template refuses the conversation: not today"):
            ranked(name, backbone)


# --- answers of no use ---


def test_what_ranks_nothing_is_counted_in_one_line(caplog: pytest.LogCaptureFixture):
    tokenizer = marking_tokenizer("first")
    never = model_that_says(tokenizer, {"z": 5.0})
    with caplog.at_level(logging.WARNING):
        assert ranked("yes-no", never) == ["d0", "d1", "d2"]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("yes-no: of 3 answers, 3 are of no use")
    assert line.endswith("of 1 queries, 1 have all candidates tied and keep the first stage's order")
    caplog.clear()
    # Says nothing but z, so that no window has an order; the last answer's passages keep theirs.
    assert ranked("rankgpt", never, 4, window=2, stride=1) == ["d0", "d1", "d2", "d3"]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("rankgpt: of 3 answers, 3 are of no use")
    assert "of 1 queries, 0 have all candidates tied" in line
    caplog.clear()
    assert ranked("first", never) == ["d0", "d1", "d2"]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("first: of 1 answers, 1 are of no use")


def test_nothing_is_said_of_answers_that_rank(caplog: pytest.LogCaptureFixture):
    says = {"C": 3.0, "B": 2.0, "A": 1.0}
    assert ranked("first", model_that_says(marking_tokenizer("first"), says)) == ["d2", "d1", "d0"]
    random = random_model(marking_tokenizer("first"), CHAT_TEMPLATE)
    ranked("query-likelihood", random)
    assert not caplog.records
