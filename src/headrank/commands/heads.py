"""``headrank heads``: detect head sets on judged queries, show them, compare them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrank.commands.inputs import (
    add_candidates,
    add_model,
    check_queries,
    check_texts,
    count,
    documents_of,
    output_file,
    passage_cut,
    read_texts,
    whole,
)
from headrank.errors import InputError
from headrank.methods.table import CRITERIA

if TYPE_CHECKING:
    from headrank.data.trec import Qrels, Run


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "heads",
        help="detect, show or compare head sets",
        description="Head sets are JSON files: which heads of which model, best first, and what they were found on.",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    detect = actions.add_parser(
        "detect",
        help="choose heads on judged queries",
        description=(
            "Run the backbone once over lists of judged candidates and choose heads by a criterion. The lists are"
            " those of training (docs/methods.md, R6)."
        ),
    )
    detect.add_argument("--criterion", required=True, choices=list(CRITERIA), help="how heads are chosen")
    detect.add_argument("--backbone", required=True, help="model: folder, GGUF file or hub id")
    detect.add_argument("--revision", help="commit of a hub model")
    add_candidates(detect)
    detect.add_argument("--qrels", required=True, help="TREC judgements")
    detect.add_argument("--output", required=True, help="the head set to write")
    detect.add_argument("-k", type=count, help="how many heads (default: the criterion's own)")
    detect.add_argument("--size", type=count, help="candidates per list (default: 40)")
    detect.add_argument("--samples", type=count, help="lists per query (default: 3)")
    detect.add_argument(
        "--seed", type=whole(0, 2**32 - 1), default=0, help="seed for list samples and orders (default: 0)"
    )
    detect.add_argument("--family", help="chat frame: qwen3 (default), qwen2.5, llama3, mistral, ...")
    add_model(detect)
    detect.set_defaults(run_command=run_detect)
    show = actions.add_parser("show", help="print head sets", description="Print head sets, best head first.")
    show.add_argument("files", nargs="+", help="head sets")
    show.set_defaults(run_command=run_show)
    diff = actions.add_parser(
        "diff",
        help="compare two head sets",
        description="Print the heads that two head sets share and those that only one has.",
    )
    diff.add_argument("one", help="a head set")
    diff.add_argument("other", help="another")
    diff.set_defaults(run_command=run_diff)


def run_detect(options: argparse.Namespace) -> None:
    from headrank.rerankers.candidates import gather_candidates
    from headrank.settings import Settings, to_mapping

    output = output_file(options.output, options)
    check_texts(options)
    given: dict[str, Any] = {"lists": {}, "selection": {}, "baselines": {}, "prompt": passage_cut(options)}
    if options.k:
        given["selection"]["k"] = options.k
        given["baselines"] |= {"qrhead_k": options.k, "core_k": options.k}
    if options.size:
        given["lists"]["size"] = options.size
    if options.samples:
        given["selection"]["permutations"] = options.samples
    if options.family:
        given["prompt"]["family"] = options.family
    settings = Settings.from_mapping(given)
    # As deep as a study keeps the candidates of queries that it learns from.
    depth = max(settings.candidates.depth, settings.lists.pool)
    run, judged = _judged(options, depth)
    graded = {docid for grades in judged.values() for docid in grades}
    queries, passages = read_texts(options, documents_of(run), graded)
    check_queries(options, queries, run)
    # For its errors: a candidate without a text must not be left out of a list without a word.
    gather_candidates(queries, run, passages, depth)

    from headrank.engine.backbone import load_backbone
    from headrank.heads.selection import check_count
    from headrank.methods.choose_heads import choose_heads

    backbone = load_backbone(
        options.backbone, dtype=options.dtype, device=options.device, revision=options.revision
    )
    asked = CRITERIA[options.criterion].asked(to_mapping(settings))
    if asked is not None:
        check_count(asked, backbone.n_layers, backbone.n_heads, "-k")
    heads = choose_heads(options.criterion, backbone, queries, judged, run, passages, settings, options.seed)
    heads.save(output)
    _print(heads, str(output))


def _judged(options: argparse.Namespace, depth: int) -> tuple[Run, Qrels]:
    """The judged queries of the run: their first ``depth`` candidates, and their judgements."""
    from headrank.data.trec import read_qrels, read_run
    from headrank.retrieval.first_stage import cut

    qrels, run = read_qrels(options.qrels), read_run(options.run, options.order_by)
    judged = {qid: grades for qid, grades in qrels.items() if qid in run}
    if not judged:
        raise InputError(f"{options.qrels}: judges none of the run's queries")
    if len(judged) < len(qrels):
        absent = len(qrels) - len(judged)
        print(f"{absent} of {len(qrels)} judged queries are not in the run and are left out", file=sys.stderr)
    return cut({qid: run[qid] for qid in judged}, depth), judged


def run_show(options: argparse.Namespace) -> None:
    from headrank.heads.head_set import HeadSet

    for path in options.files:
        _print(HeadSet.load(path), path)


def run_diff(options: argparse.Namespace) -> None:
    from headrank.heads.head_set import HeadSet

    one, other = HeadSet.load(options.one), HeadSet.load(options.other)
    if (one.n_layers, one.n_heads) != (other.n_layers, other.n_heads):
        raise InputError(f"{options.one} and {options.other}: head sets of models of different shapes")
    first, second = set(one.heads), set(other.heads)
    shared = first & second
    print(f"shared {len(shared)} of {len(first | second)} (Jaccard {len(shared) / len(first | second):.2f})")
    for name, heads in (
        ("both", shared),
        (Path(options.one).name, first - second),
        (Path(options.other).name, second - first),
    ):
        print(f"{name}: {_listed(sorted(heads)) or 'none'}")


def _print(heads: Any, path: str) -> None:
    total = heads.n_layers * heads.n_heads
    print(f"{path}: {heads.method}, {len(heads.heads)} of {total} heads of {heads.model}")
    print(f"  depth {heads.depth} of {heads.n_layers} layers")
    for key, value in heads.provenance.items():
        if not isinstance(value, dict | list):
            print(f"  {key}: {value}")
    for (layer, head), score in zip(heads.heads, heads.scores, strict=True):
        print(f"  {layer}-{head}\t{score:.4f}")


def _listed(heads: list[tuple[int, int]]) -> str:
    return " ".join(f"{layer}-{head}" for layer, head in heads)
