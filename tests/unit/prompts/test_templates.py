"""Faithful templates: the text that the released code of each method puts into the prompt, piece by piece."""

from __future__ import annotations

import pytest
import yaml
from folders import REPOSITORY
from support import byte_tokenizer, tiny_backbone

from headrank.data.collections import Document
from headrank.errors import InputError
from headrank.heads.head_set import HeadSet
from headrank.methods.build import rerank_released
from headrank.methods.entry import Released
from headrank.methods.table import FROZEN
from headrank.prompts.builder import PromptBuilder
from headrank.prompts.templates import INFORMATION, QUESTION_ANSWERING, Template, beir_name
from headrank.rerankers.candidates import Candidates
from headrank.rerankers.parts import Parts
from headrank.settings import PromptSettings, Settings

DOCUMENTS = (Document("a", "Oak", "a tree " * 150), Document("b", "", "a stone"))
FRAME, END = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"


def template_of(method: str, family: str = "qwen3", benchmark: str = "") -> Template:
    entry = FROZEN[f"{method}-faithful"]
    assert isinstance(entry, Released)
    return entry.template(family, benchmark)


def text_of(method: str, family: str = "qwen3", benchmark: str = "") -> str:
    """The whole prompt as text; the template does not depend on the frame that the tokenizer knows."""
    template = template_of(method, family, benchmark)
    prompt = PromptBuilder(byte_tokenizer(), PromptSettings(), template).build("which tree", DOCUMENTS)
    return byte_tokenizer().decode([*prompt.prefix, *prompt.query.ids], skip_special_tokens=False)


def words(count: int) -> str:
    return " ".join((["a", "tree"] * 150)[:count])


def test_icr() -> None:
    expected = (
        f"{FRAME} Here are some paragraphs: \n\n[1] Oak\n{words(300)} \n\n[2] a stone \n\n{INFORMATION} \n\n"
        f"Query: which tree{END}"
    )
    assert text_of("icr") == expected
    assert text_of("icr", "mistral") == expected.replace(" \n\n", "\n\n")
    assert text_of("icr", benchmark="fiqa") == expected.replace(INFORMATION, QUESTION_ANSWERING)
    assert text_of("selective-icr", benchmark="fiqa") == text_of("icr", benchmark="fiqa")


def test_the_full_study_asks_questions_where_icr_does() -> None:
    """Whatever the configuration calls them."""
    config = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8"))
    names = {d: beir_name(d, config["collections"][d].get("id", "")) for d in config["panel"]}
    asked = {d for d, name in names.items() if template_of("icr", "", name).instruction == QUESTION_ANSWERING}
    assert asked == {"trec-covid", "fiqa", "touche", "dbpedia", "nq"}
    assert beir_name("mine", "") == beir_name("mine", "beir") == "mine"
    assert beir_name("mine", "msmarco-passage/trec-dl-2019/judged") == "mine"


def test_qrhead_keeps_more_words_and_never_asks() -> None:
    long = (Document("a", "", "w " * 500),)
    for method, kept in [("icr", 300), ("qrhead", 400)]:
        template = template_of(method)
        prompt = PromptBuilder(byte_tokenizer(), PromptSettings(), template).build("q", long)
        start, stop = prompt.text[0]
        assert byte_tokenizer().decode(prompt.prefix[start:stop]).split() == ["w"] * kept
    assert text_of("qrhead", benchmark="fiqa") == text_of("icr")


def test_core() -> None:
    assert text_of("core") == (
        f"{FRAME} Here are some paragraphs:\n\n[document 1] {words(300)}\n\n[document 2] a stone\n\n{INFORMATION}\n\n"
        f"Query: which tree{END}"
    )


def test_faithful_rankings_have_prompts_and_orders_of_their_own() -> None:
    backbone = tiny_backbone("qwen3")
    heads = HeadSet("x", "tiny", 4, 4, ((2, 1), (0, 3)), (1.0, 0.5))
    documents = tuple(Document(f"d{i}", "", f"stone {i}") for i in range(4))
    candidates = [Candidates("q", "stone 2", documents)]
    names = ["icr-faithful", "selective-icr-faithful", "qrhead-faithful", "core-faithful"]
    sets = dict.fromkeys(("qrhead", "core", "selective-icr"), heads)
    parts = Parts(backbone, PromptBuilder(backbone.tokenizer, PromptSettings()), sets, Settings())
    frames = rerank_released(names, parts, candidates)
    assert list(frames) == names
    for name, first in zip(names, ["d3", "d3", "d3", "d0"], strict=True):
        assert frames[name].set_index("position")["docid"][0] == first
        assert sorted(frames[name]["docid"]) == ["d0", "d1", "d2", "d3"]
    with pytest.raises(InputError, match="'core' has no form of its authors' own"):
        rerank_released(["core"], parts, candidates)
    with pytest.raises(InputError, match="'core-fathful' is unknown; known: icr, "):
        rerank_released(["core-fathful"], parts, candidates)
