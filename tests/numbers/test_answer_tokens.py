"""For every tokenizer at hand: the tokens that are scored are those that the model would write next.

Prompt and answer are tokenised as one text, control tokens included; the last tokens of the prompt that is asked, and
the scored tokens of each answer behind them, have to be found there next to one another.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2.exceptions import TemplateError
from support import SCHEMES, byte_tokenizer, marking_tokenizer
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from headrank.engine.gguf.find import find_gguf
from headrank.engine.gguf.header import read_header
from headrank.engine.gguf.tokenizer import read_tokenizer
from headrank.generative import listwise, pointwise, setwise
from headrank.generative.chat import Chat, Turn, mark
from headrank.generative.settings import GenerativeSettings
from headrank.generative.task import Query
from headrank.planted.tokenizer import CHAT_TEMPLATE

pytestmark = pytest.mark.slow

GGUF = {
    "SmolLM2": "SmolLM2-135M-Instruct.Q4_1.gguf",
    "Qwen2.5": "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    "Gemma 3": "gemma-3-270m-q4_k_m.gguf",
}
NAMES = ["Qwen3", *GGUF, *(f"marks: {scheme}" for scheme in SCHEMES), "SentencePiece", "bytes"]
PASSAGES = [
    "oak tree",
    "the elm",
    "stone",
    "a river",
    "cloud",
    "red bread",
    "blue",
    "engines",
    "violin",
    "sea",
]
# How much of the prompt's end is compared: the prompt begins with texts that are tokenised on their own.
TAIL = 8


def unigram_tokenizer() -> PreTrainedTokenizerFast:
    """As SentencePiece's unigram models: pieces by probability, words with a mark, bytes for the rest."""
    letters = [chr(i) for i in range(33, 127) if chr(i) != "▁"]
    words = [
        *(f"▁{c}" for c in letters),
        "▁Yes",
        "▁No",
        "▁yes",
        "▁no",
        "Yes",
        "No",
        "yes",
        "no",
        "▁the",
        "oak",
        "[A",
    ]
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), *((f"<0x{i:02X}>", -12.0) for i in range(256))]
    pieces += [("▁", -3.0), *((c, -6.0) for c in letters), *((w, -5.0) for w in words)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    backend.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t in ("<unk>", "<s>", "</s>")]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="</s>", pad_token="</s>", clean_up_tokenization_spaces=False
    )


@pytest.fixture(scope="module", params=NAMES)
def tokenizer(request: pytest.FixtureRequest) -> Iterator[Any]:
    name = request.param
    if name == "Qwen3":
        folder = request.getfixturevalue("shared_data") / "qwen3-tokenizer"
        if not (folder / "tokenizer.json").is_file():
            pytest.skip(f"no Qwen3 tokenizer in {folder}")
        yield AutoTokenizer.from_pretrained(folder)
        return
    if name in GGUF:
        place: Path | None = find_gguf(GGUF[name])
        if place is None:
            pytest.skip(f"{GGUF[name]} is absent: set HEADRANK_MODELS to its folder")
        yield read_tokenizer(read_header(place))
        return
    made: dict[str, Callable[[], Any]] = {"SentencePiece": unigram_tokenizer, "bytes": byte_tokenizer}
    found = made[name]() if name in made else marking_tokenizer(name.removeprefix("marks: "))
    before = found.chat_template
    found.chat_template = CHAT_TEMPLATE
    yield found
    # Some are shared with other tests.
    found.chat_template = before


def asked(tokenizer: Any, ask: Callable[[Query], Any]) -> Any:
    """The first question that a method asks."""
    chat = Chat(tokenizer)
    texts = tuple(chat.text(f" {text}") for text in PASSAGES)
    query = Query("q", "red oak", chat.text(" red oak"), texts, chat, GenerativeSettings())
    return next(ask(query))[0]


def written(tokenizer: Any, turns: list[Turn], texts: list[str], prefill: str = "") -> str:
    """The prompt as a text, by the tokenizer's own template."""
    filled = []
    for role, content in turns:
        for number, text in enumerate(texts):
            content = content.replace(mark(number), f" {text}")
        filled.append((role, content))

    def rendered(conversation: list[Turn]) -> str:
        messages = [{"role": role, "content": content} for role, content in conversation]
        return str(
            tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        )

    if not tokenizer.chat_template:
        text = "".join(f"{role}: {content}\n" for role, content in filled) + "assistant: "
    else:
        try:
            text = rendered(filled)
        except TemplateError:
            (_, first), (role, content), *rest = filled
            text = rendered([(role, f"{first}\n\n{content}"), *rest])
    return text if prefill and text.rstrip().endswith(prefill.rstrip()) else text + prefill


def next_to_one_another(tokenizer: Any, prompt: tuple[int, ...], word: tuple[int, ...], whole: str) -> bool:
    """Whether the whole text's tokens hold the prompt's last ones with the word's behind, near the end."""
    ids = list(tokenizer(whole, add_special_tokens=False)["input_ids"])
    wanted = [*prompt[-TAIL:], *word]
    # What the answer goes on with: the bracket that closes after a letter.
    return any(ids[len(ids) - len(wanted) - rest : len(ids) - rest] == wanted for rest in range(3))


def test_first_reads_letters_behind_their_bracket(tokenizer: Any) -> None:
    ask = asked(tokenizer, listwise.first)
    letters = string.ascii_uppercase[: len(PASSAGES)]
    text = written(tokenizer, listwise.conversation(letters), ["red oak", *PASSAGES], "[")
    assert len(ask.words) == len(letters) == len(set(ask.words))
    for letter, word in zip(letters, ask.words, strict=True):
        assert next_to_one_another(tokenizer, ask.prompt, word, f"{text}{letter}]"), letter


@pytest.mark.parametrize("ask", [setwise.setwise, setwise.setwise_single])
def test_setwise_reads_labels_behind_a_blank(tokenizer: Any, ask: Callable[[Query], Any]) -> None:
    question = asked(tokenizer, ask)
    count = len(question.words)
    # Its first comparison is that of the last family of the heap.
    family = PASSAGES if count == len(PASSAGES) else [PASSAGES[2], *PASSAGES[7:10]]
    text = written(tokenizer, setwise.conversation(count), ["red oak", *family[:count]], " Passage:")
    for label, word in zip(setwise.LABELS, question.words, strict=False):
        assert next_to_one_another(tokenizer, question.prompt, word, f"{text} {label}"), label


@pytest.mark.parametrize(
    ("ask", "turns", "words", "prefill"),
    [
        (pointwise.yes_no, pointwise.YES_NO, ("Yes", "No"), ""),
        (pointwise.qwen3_reranker, pointwise.QWEN3_RERANKER, ("yes", "no"), pointwise.NO_THOUGHT),
    ],
)
def test_yes_and_no_are_read_as_they_would_be_written(
    tokenizer: Any, ask: Callable[[Query], Any], turns: list[Turn], words: tuple[str, str], prefill: str
) -> None:
    question = asked(tokenizer, ask)
    texts = ["red oak", PASSAGES[0], GenerativeSettings().instruction]
    text = written(tokenizer, turns, texts, prefill)
    for spelt, word in zip(words, question.words, strict=True):
        assert next_to_one_another(tokenizer, question.prompt, word, f"{text}{spelt}"), spelt


def test_the_query_s_likelihood_is_that_of_its_tokens_behind_the_prompt(tokenizer: Any) -> None:
    question = asked(tokenizer, pointwise.query_likelihood)
    text = written(tokenizer, pointwise.LIKELIHOOD, ["red oak", PASSAGES[0]])
    assert next_to_one_another(tokenizer, question.prompt, question.continuation, f"{text}red oak")
    assert tokenizer.decode(question.continuation).strip() == "red oak"
