"""``headrank rerank``: any method on files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrank.commands.inputs import (
    add_candidates,
    add_model,
    count,
    output_file,
    passage_cut,
    read_candidates,
)
from headrank.commands.notes import note_depth, note_queries, note_ties
from headrank.errors import InputError
from headrank.methods.entry import NOTHING, RELEASED, Asked, Frozen, Released, Trained
from headrank.methods.table import METHODS

if TYPE_CHECKING:
    import pandas as pd

    from headrank.rerankers import Candidates


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "rerank",
        help="rerank a TREC run with any method",
        description=(
            "Rerank the candidates of a TREC run and write a TREC run. Trained methods need --adapter, the folder that"
            " training wrote. Methods on chosen heads need --heads, a file from `headrank heads detect`. The others"
            " need only --backbone. `headrank methods` lists them."
        ),
    )
    parser.add_argument("--method", help="default: headrank, or what the adapter was trained as")
    parser.add_argument(
        "--backbone", help="model: folder, GGUF file or hub id (default: the one that the adapter names)"
    )
    parser.add_argument("--revision", help="commit of a hub model")
    parser.add_argument("--adapter", help="folder that training wrote")
    parser.add_argument(
        "--heads", help="head set from `headrank heads detect`; for routehead, a router's file"
    )
    add_candidates(parser)
    parser.add_argument("--output", required=True, help="the TREC run to write")
    parser.add_argument(
        "--depth",
        type=count,
        help="candidates per query that are reranked; the others follow behind (default: 40, or as in training)",
    )
    parser.add_argument("--only-reranked", action="store_true", help="leave out candidates beyond --depth")
    parser.add_argument(
        "--order",
        choices=["best-first", "best-last", "shuffled"],
        help="order in the prompt (default: best-first, or as in training)",
    )
    parser.add_argument(
        "--family", help="chat frame: qwen3 (default), qwen2.5, llama3, mistral, granite, gemma or plain"
    )
    parser.add_argument("--answers", help="keep a generative method's answers here (.jsonl.gz)")
    add_model(parser)
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> None:
    from headrank.data.trec import write_run

    check(options)
    # Read the small files first: a typo must not wait for the model.
    output = output_file(options.output)
    queries, candidates_run, passages = read_candidates(options)

    from headrank.data.rankings import with_rest
    from headrank.rerankers import as_run, gather_candidates

    note_queries(candidates_run, queries)
    tag = options.method
    if options.adapter:
        rank, depth, tag = _trained(options)
    elif isinstance(METHODS[options.method], Asked):
        rank, depth = _generative(options)
    else:
        rank, depth = _untrained(options)
    note_depth(candidates_run, depth, options.only_reranked)
    candidates = gather_candidates(queries, candidates_run, passages, depth)
    ranking = rank(candidates)
    # A generative method says so itself, with its answers.
    if not isinstance(METHODS.get(options.method), Asked):
        note_ties(ranking)
    reranked = as_run(ranking)
    whole = reranked if options.only_reranked else with_rest(reranked, candidates_run)
    write_run(output, whole, tag)


def check(options: argparse.Namespace) -> None:
    """Refuse options that do not go together, before anything is read."""
    name = options.method or "headrank"
    if name not in METHODS or METHODS[name].studies_only:
        raise InputError(f"--method {name}: unknown; `headrank methods` lists the known ones")
    method = METHODS[name]
    trained, writes = isinstance(method, Trained), isinstance(method, Asked)
    if trained and not options.adapter:
        raise InputError(f"--method {name}: needs --adapter, the folder that training wrote")
    if not trained and options.adapter:
        raise InputError(f"--method {name}: is not trained; leave --adapter out")
    if not trained and not options.backbone:
        raise InputError(f"--method {name}: needs --backbone")
    if trained and options.family:
        raise InputError(
            "--family: an adapter keeps the chat frame that it was trained with; leave --family out"
        )
    if options.answers and not writes:
        raise InputError(f"--method {name}: writes no answers; leave --answers out")
    if writes and (options.order or options.family):
        raise InputError(
            f"--method {name}: has an order and a chat template of its own; leave --order and --family out"
        )
    if options.truncate_words and isinstance(method, Released):
        raise InputError(
            f"--method {name}: cuts passages to as many words as its authors do; take --truncate-tokens, or"
            f" {name.removesuffix(RELEASED)}"
        )
    needs = isinstance(method, Frozen) and method.needs != NOTHING
    if needs and not options.heads:
        raise InputError(f"--method {name}: needs --heads, {method.needs}")
    if options.heads and not needs:
        raise InputError(f"--method {name}: takes no --heads")


def _trained(options: argparse.Namespace) -> tuple[Any, int, str]:
    """The ranking function, the depth, and the name that runs of this adapter carry."""
    from dataclasses import replace

    from headrank.reranker import Reranker

    reranker = Reranker.load(
        options.adapter,
        options.backbone,
        options.dtype,
        options.device,
        options.revision,
        **passage_cut(options),
    )
    name = reranker.method.name
    if options.method not in (None, name, reranker.kind):
        raise InputError(
            f"--method {options.method}: {options.adapter} was trained as {name}; leave --method out"
        )
    if options.order:
        candidates = replace(reranker.settings.candidates, order=options.order)
        reranker = replace(reranker, settings=replace(reranker.settings, candidates=candidates))
    return reranker.rerank_all, options.depth or reranker.settings.candidates.depth, name


def _generative(options: argparse.Namespace) -> tuple[Any, int]:
    from headrank.engine.backbone import load_backbone
    from headrank.generative.calls import write_calls
    from headrank.generative.settings import GenerativeSettings
    from headrank.methods.ask import rerank_asked
    from headrank.specs import read_spec

    def rank(candidates: list[Candidates]) -> pd.DataFrame:
        backbone = load_backbone(options.backbone, None, options.dtype, options.device, options.revision)
        cut = {key.removeprefix("truncate_"): value for key, value in passage_cut(options).items()}
        settings = read_spec(GenerativeSettings, cut, "generative")
        ranking, calls = rerank_asked(options.method, backbone, candidates, settings)
        if options.answers:
            write_calls(output_file(options.answers), calls)
        return ranking

    return rank, options.depth or 40


def _untrained(options: argparse.Namespace) -> tuple[Any, int]:
    from headrank.methods.ready import rank_untrained
    from headrank.settings import Settings

    given: dict[str, Any] = {"prompt": passage_cut(options)}
    if options.family:
        given["prompt"]["family"] = options.family
    if options.order:
        given["candidates"] = {"order": options.order}
    settings = Settings.from_mapping(given)

    def rank(candidates: list[Candidates]) -> pd.DataFrame:
        return rank_untrained(
            options.method,
            options.backbone,
            candidates,
            settings,
            heads=options.heads,
            revision=options.revision,
            dtype=options.dtype,
            device=options.device,
            benchmark=Path(options.collection).name if options.collection else "",
        )

    return rank, options.depth or settings.candidates.depth
