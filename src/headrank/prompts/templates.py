"""Wordings of the prompt: the project's own, which all methods share, and those of the authors' released code.

Faithful templates reproduce what the code of ICR, QRHead and CoRe puts into the prompt ("fair and faithful" in
docs/methods.md): labels, separators, titles, words kept and the order of the documents. They are still built segment by
segment, so spans stay exact where the released code counts tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

QUESTION_ANSWERING = "Please answer the following question based on the information in the paragraphs above."
INFORMATION = "Please find information that are relevant to the following query in the paragraphs above."


@dataclass(frozen=True)
class Template:
    """The text around passages and query.

    header: before the first passage. label: before each passage, with ``{}`` for its number from 1. before, after:
    separators before a label and after a passage. closing: after the last passage, before the instruction. query_label:
    between instruction and query. titles: whether titles are placed above the text. words: how many words of a passage
    are kept. tokens: how many tokens are kept instead, if given, the title's included.
    """

    header: str = " Here are some paragraphs:"
    label: str = "[{}]"
    before: str = "\n\n"
    after: str = ""
    closing: str = "\n\n"
    instruction: str = INFORMATION
    query_label: str = "\n\nQuery:"
    titles: bool = True
    words: int = 300
    tokens: int | None = None


ICR = Template(before=" \n\n", closing=" \n\n", query_label=" \n\nQuery:")
QRHEAD = replace(ICR, words=400)
CORE = Template(
    header=" Here are some paragraphs:\n\n",
    label="[document {}]",
    before="",
    after="\n\n",
    closing="",
    titles=False,
)
# Llama and Qwen get a blank before the line breaks; the released code leaves it out for Mistral.
PLAIN_BREAKS = ("mistral",)
# Benchmarks, by BEIR's names, for which ICR asks a question instead of looking for information.
ICR_QUESTIONS = ("trec-covid", "fiqa", "webis-touche2020", "dbpedia-entity", "nq")


def beir_name(name: str, identifier: str) -> str:
    """BEIR's name of a collection in the configuration, or its name there if it is not one of BEIR's.

    identifier: the one in the catalogue of ir_datasets, such as "beir/webis-touche2020/v2"; empty for other sources.
    """
    path = identifier.split("/")
    return path[1] if path[0] == "beir" and len(path) > 1 else name


def icr_template(family: str, benchmark: str = "") -> Template:
    """The template of ICR's released code, which asks a question on some benchmarks (by BEIR's name)."""
    question = replace(ICR, instruction=QUESTION_ANSWERING) if benchmark in ICR_QUESTIONS else ICR
    return _for_family(question, family)


def qrhead_template(family: str, benchmark: str = "") -> Template:
    """The template of QRHead's released code, on every benchmark."""
    return _for_family(QRHEAD, family)


def core_template(family: str, benchmark: str = "") -> Template:
    """The template of CoRe's released code, on every benchmark."""
    return _for_family(CORE, family)


def _for_family(template: Template, family: str) -> Template:
    if family not in PLAIN_BREAKS:
        return template
    return replace(
        template,
        before=template.before.lstrip(" "),
        closing=template.closing.lstrip(" "),
        query_label=template.query_label.lstrip(" "),
    )
