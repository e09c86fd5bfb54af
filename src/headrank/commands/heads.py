"""``headrank heads``: detect head sets on judged queries, show them, compare them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from headrank.commands.inputs import add_candidates, add_model, count, output_file, read_candidates, whole
from headrank.errors import InputError
from headrank.methods.table import CRITERIA


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
    from headrank.data.trec import read_qrels
    from headrank.settings import Settings

    output = output_file(options.output)
    qrels = read_qrels(options.qrels)
    queries, run, passages = read_candidates(options)
    given: dict[str, Any] = {"lists": {}, "selection": {}, "baselines": {}, "prompt": {}}
    if options.k:
        given["selection"]["k"] = options.k
        given["baselines"] |= {"qrhead_k": options.k, "core_k": options.k}
    if options.size:
        given["lists"]["size"] = options.size
    if options.family:
        given["prompt"]["family"] = options.family
    settings = Settings.from_mapping(given)

    from headrank.engine.backbone import load_backbone
    from headrank.heads.selection import check_count
    from headrank.methods.ready import choose_heads

    backbone = load_backbone(
        options.backbone, dtype=options.dtype, device=options.device, revision=options.revision
    )
    if options.k:
        check_count(options.k, backbone.n_layers, backbone.n_heads, "-k")
    judged = {qid: grades for qid, grades in qrels.items() if qid in run}
    if not judged:
        raise InputError(f"{options.qrels}: judges none of the run's queries")
    heads = choose_heads(options.criterion, backbone, queries, judged, run, passages, settings, options.seed)
    heads.save(output)
    _print(heads, str(output))


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
