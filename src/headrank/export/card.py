"""The model card of an exported adapter: metadata that the hub reads, and what a user has to know, from the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headrank.engine.lora_files import Lora
from headrank.evaluation.per_query import FIRST_STAGE
from headrank.evaluation.significance import MEAN
from headrank.export.citation import BIBTEX, PAPER
from headrank.export.results import Result
from headrank.methods.table import METHODS
from headrank.training.exported import GOLDEN, PublicBase
from headrank.training.saved_adapter import SavedAdapter

TAGS = ("reranker", "passage-reranking", "attention", "decoding-free", "lora")


@dataclass(frozen=True)
class Facts:
    """What the card is made from.

    name: of the repository, if it is known. kind: the method of the table of methods. base_name: what the base is
    called where it has no public name. licence: of the adapter; base_licence: as the base states it, if it was read.
    study: the provenance of the study that trained it. trained: (name, provenance) of the collections it learned from.
    source: of the base, in that study.
    """

    name: str | None
    saved: SavedAdapter
    lora: Lora
    kind: str
    base: PublicBase
    base_name: str
    licence: str
    base_licence: str | None
    languages: tuple[str, ...]
    datasets: tuple[str, ...]
    study: Mapping[str, Any] | None
    trained: tuple[tuple[str, Mapping[str, Any]], ...]
    source: str
    results: tuple[Result, ...]


def card(facts: Facts) -> str:
    """The card as Markdown with its metadata in front."""
    sections = (_what, _use, _results, _training, _limits, _licence, _citation)
    parts = [f"# {_title(facts)}", *("\n".join(section(facts)) for section in sections)]
    return f"---\n{metadata(facts)}\n---\n\n" + "\n\n".join(parts) + "\n"


def metadata(facts: Facts) -> str:
    """The card's metadata as YAML, made by the hub's own classes, which refuse what the hub does not read."""
    from huggingface_hub import ModelCardData

    given: dict[str, Any] = {
        "base_model": facts.base.repository,
        # A base without a public name is none that the hub could link.
        **({"base_model_relation": "adapter"} if facts.base.repository else {}),
        "datasets": list(facts.datasets) or None,
        "language": list(facts.languages),
        "library_name": "peft",
        "license": facts.licence,
        "pipeline_tag": "text-ranking",
        "tags": list(TAGS),
    }
    if facts.results:
        given |= {
            "model_name": _title(facts),
            "eval_results": [_eval_result(facts, r) for r in _benchmarks(facts)],
        }
    return str(ModelCardData(**given).to_yaml()).strip()


def _eval_result(facts: Facts, result: Result) -> Any:
    from huggingface_hub import EvalResult

    collection = facts.study["collections"][result.benchmark] if facts.study else {}
    metric = result.metric.lower().replace("@", "_at_")
    return EvalResult(
        task_type="text-ranking",
        task_name="Passage reranking",
        dataset_type=collection.get("id", result.benchmark),
        dataset_name=result.benchmark,
        metric_type=metric,
        metric_name=result.metric,
        metric_value=round(result.value, 4),
    )


def _title(facts: Facts) -> str:
    own = facts.saved.name or facts.kind
    return facts.name.split("/")[-1] if facts.name else f"{own} for {facts.base_name}"


def _benchmarks(facts: Facts) -> list[Result]:
    return [result for result in facts.results if result.benchmark != MEAN]


def _what(facts: Facts) -> Iterator[str]:
    saved, heads = facts.saved, facts.saved.heads
    title = METHODS[facts.kind].title
    named = f"{title} ({saved.name})" if saved.name and saved.name != facts.kind else title
    yield (
        f"A LoRA adapter (rank {facts.lora.rank}, {len(facts.lora.modules)} projections) that makes"
        f" {len(heads.heads)} attention heads of {_linked(facts)} rank passages. Method: {named},"
        f" {METHODS[facts.kind].about}."
        " The model reads the candidates and the query in one forward pass, and the attention that the query's tokens"
        f" pay to a passage in these heads is its score. Nothing is generated, and only the first {heads.depth} of"
        f" {saved.base.n_layers} layers run."
    )
    yield ""
    shown = ", ".join(f"{layer}-{head}" for layer, head in heads.heads)
    yield (
        f"The heads, best first, as layer-head, both counted from 0: {shown}. Heads are query heads, not key/value"
        " heads."
    )
    yield ""
    yield "| file | what it is |"
    yield "|---|---|"
    yield "| `adapter_config.json`, `adapter_model.safetensors` | the adapter, as PEFT reads it |"
    yield "| `heads.json` | the heads that are read |"
    yield "| `headrank_config.json` | all settings of prompt, scores and training; digests of the other files |"
    yield f"| `{GOLDEN}` | queries, passages and their scores: a test of the loaded model |"


def _linked(facts: Facts) -> str:
    if not facts.base.repository:
        return f"`{facts.base_name}`"
    linked = f"[{facts.base.repository}](https://huggingface.co/{facts.base.repository})"
    return f"`{facts.base.file}` of {linked}" if facts.base.file else linked


def _use(facts: Facts) -> Iterator[str]:
    base = facts.base
    here = facts.name or "path/to/this/folder"
    given = "" if base.known else ', backbone="path/to/the/base/model"'
    yield "## How to use it"
    yield ""
    yield "```python"
    yield "from headrank import Reranker"
    yield f'reranker = Reranker.load("{here}"{given}, check=True)'
    yield 'ranking = reranker.rank("query text", ["first passage", "second passage"])'
    yield "```"
    yield ""
    yield (
        "Give the passages best first, as the first stage ranked them. `check=True` computes the scores of"
        f" `{GOLDEN}` and compares them. `@` and a commit behind the name pin a version."
    )
    yield ""
    yield (
        "The weights alone, with PEFT (load the base with `AutoModelForCausalLM`: under `AutoModel` its layers have"
        " other names, and PEFT does not find them):"
    )
    yield ""
    yield "```python"
    yield "from peft import PeftModel"
    yield "from transformers import AutoModelForCausalLM"
    yield f"base = AutoModelForCausalLM.from_pretrained({_from_pretrained(facts)})"
    yield f'model = PeftModel.from_pretrained(base, "{here}")'
    yield "```"
    yield ""
    yield "PEFT does not notice another base model. It has to be exactly this one:"
    yield ""
    if base.repository:
        yield f"- `{base.repository}` at commit `{base.revision}`"
    if base.file:
        yield f"- file `{base.file}`, SHA-256 `{base.sha256}`"
    if not base.known:
        yield f"- `{facts.base_name}`, which has no public name"
    yield "- fingerprint of its configuration and weights (`headrank.engine.fingerprint`): in `headrank_config.json`"


def _from_pretrained(facts: Facts) -> str:
    base = facts.base
    if base.file:
        where = (
            f'"{base.repository}", revision="{base.revision}"' if base.repository else '"path/to/its/folder"'
        )
        return f'{where}, gguf_file="{base.file}"'
    return f'"{base.repository}", revision="{base.revision}"' if base.known else '"path/to/the/base/model"'


def _results(facts: Facts) -> Iterator[str]:
    yield "## Results"
    yield ""
    if not facts.results or facts.study is None:
        yield "No evaluation belongs to this folder, so the card claims no quality."
        return
    settings = facts.study["configuration"]["values"]
    first = METHODS[FIRST_STAGE].title
    depth, share = facts.saved.settings.candidates.depth, 1 - settings["evaluation"].get("alpha", 0.05)
    yield (
        f"Each query's first {depth} candidates of the first stage, reranked. In brackets is the {share:.0%} bootstrap"
        f" interval of the difference to {first}; p is that of a paired randomisation test over queries, two-sided,"
        " with Holm's correction over a metric's benchmarks and their mean."
    )
    if "planted" in facts.source:
        yield ""
        yield (
            "The base is a synthetic model whose useful heads were planted: these numbers say nothing about real"
            " models."
        )
    yield ""
    yield f"| benchmark | queries | metric | {first} | this model | difference | p |"
    yield "|:---|---:|:---|---:|---:|---:|---:|"
    for row in facts.results:
        name = "mean of the benchmarks" if row.benchmark == MEAN else row.benchmark
        yield (
            f"| {name} | {row.queries} | {row.metric} | {row.first:.3f} | {row.value:.3f} |"
            f" {row.value - row.first:+.3f} [{row.low:+.3f}, {row.high:+.3f}] | {_p(row.p)} |"
        )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _training(facts: Facts) -> Iterator[str]:
    yield "## Training data"
    yield ""
    queries = facts.saved.heads.provenance.get("queries")
    if not facts.trained:
        named = f" ({', '.join(facts.datasets)})" if facts.datasets else ""
        yield f"The folder does not record which collections the adapter learned from{named}."
    for name, spec in facts.trained:
        yield f"- {name}: {_collection(spec)}"
    if isinstance(queries, int):
        yield ""
        yield f"The heads were chosen on the judgements of {queries} training queries."
    if facts.study:
        yield ""
        yield _leaked(facts.study)


def _collection(spec: Mapping[str, Any]) -> str:
    if spec["source"] == "ir_datasets":
        return f"`{spec['id']}` of ir_datasets"
    return (
        "made by a program, not written by people" if spec["source"] == "synthetic" else "a local collection"
    )


def _leaked(study: Mapping[str, Any]) -> str:
    told = study.get("leakage")
    if told is None:
        return "Training and test queries were not compared."
    if not told["queries"]:
        return "No training query is a test query too, or nearly."
    done = "left out of training" if told["action"] == "leave-out" else "kept in training"
    return f"{len(told['queries'])} training or detection queries are test queries too, or nearly; they were {done}."


def _limits(facts: Facts) -> Iterator[str]:
    settings = facts.saved.settings
    prompt = settings.prompt
    cut = f"{prompt.truncate_tokens} tokens" if prompt.truncate_tokens else f"{prompt.truncate_words} words"
    yield "## Limits"
    yield ""
    yield (
        "- **It is a ranker, not a security boundary.** A passage can be written to attract attention, and then ranks"
        " higher than it deserves or pushes others down; repeating the query's words can be enough. The text of a"
        " passage never becomes a control token of the prompt."
    )
    yield (
        f"- It was trained on lists of up to {settings.lists.size + settings.lists.spread} passages, ranks up to"
        f" {settings.candidates.depth} in one pass, and reads the first {cut} of each. Longer lists are read"
        " in windows."
    )
    yield "- Scores are comparable within one list only. They depend on the other passages and on their order."
    languages = ", ".join(facts.languages)
    yield f"- Language: {languages}. Others were not tried, nor were other kinds of text than the benchmarks'."
    yield "- It is no chat model: the adapter changes what the base would answer, in ways that nobody has looked at."


def _licence(facts: Facts) -> Iterator[str]:
    yield "## Licence"
    yield ""
    if facts.base_licence is None:
        yield f"`{facts.licence}`. The base model's own licence applies to its weights, which are not in this folder."
    elif facts.base_licence == facts.licence:
        yield f"`{facts.licence}`, as the base model, whose weights are not in this folder."
    else:
        yield (
            f"`{facts.licence}` for the adapter. The base model is under `{facts.base_licence}`; its terms apply too"
            " wherever the adapter is used."
        )


def _citation(facts: Facts) -> Iterator[str]:
    yield "## Citation"
    yield ""
    yield (
        f"HeadRank is the method of arXiv:{PAPER}. This adapter was trained by an independent reimplementation, not by"
        " the paper's authors. Please cite the paper, and name the software with its version"
        f" (headrank {_version(facts)})."
    )
    yield ""
    yield "```bibtex"
    yield from BIBTEX.splitlines()
    yield "```"


def _version(facts: Facts) -> str:
    import headrank

    if facts.study:
        library: Mapping[str, Any] = facts.study["code"]
        commit = str(library["commit"])
        return f"{library['library']['version']}, commit {commit}"
    return headrank.__version__
