"""``headrank export``: an adapter for the hub, a run with its metadata, or a finished study as an RO-Crate."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from headrank.errors import UsageError

# Which options belong to which kind of export; those of all kinds are not listed.
_OWN = {
    "adapter": (
        *(
            "backbone",
            "revision",
            "base",
            "name",
            "license",
            "language",
            "dataset",
            "study",
            "dtype",
            "device",
        ),
    ),
    "crate": ("license", "citation"),
    "run": (),
}


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "export",
        help="an adapter for the Hugging Face hub, a run with its metadata, or a study as an RO-Crate",
        description=(
            "Write what others take over. --adapter: a folder for the hub that PEFT and Reranker.load read, with a"
            " model card and scores to test it by; nothing is uploaded. --run: a run of a finished study with its"
            " ir_metadata. --crate: a finished study as an RO-Crate, a folder or a .zip. docs/export.md says more."
        ),
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--adapter", help="folder that training wrote, such as results/mini/adapters/small/headrank"
    )
    what.add_argument("--run", help="a TREC run in the results of a finished study")
    what.add_argument("--crate", metavar="STUDY", help="results of a finished study, such as results/mini")
    parser.add_argument(
        "--output", required=True, help="folder to write; for --run a file; for --crate also a .zip"
    )
    parser.add_argument(
        "--license",
        help="of the adapter, as the hub names it (default: what the base model states), or of the crate (SPDX id)",
    )
    adapter = parser.add_argument_group("with --adapter")
    adapter.add_argument(
        "--backbone", help="the base model as it lies here (default: the one that the adapter names)"
    )
    adapter.add_argument("--revision", help="commit of a backbone from the hub")
    adapter.add_argument(
        "--base", metavar="ORG/NAME@COMMIT", help="the base model's public name, where it is not known"
    )
    adapter.add_argument(
        "--name", metavar="ORG/NAME", help="repository that the folder is for, named in the card"
    )
    adapter.add_argument(
        "--study", help="finished study that trained it: results and training data for the card"
    )
    adapter.add_argument(
        "--dataset", action="append", help="a data set's id on the hub, for the card; may be repeated"
    )
    adapter.add_argument(
        "--language", action="append", help="code of a language (default: en); may be repeated"
    )
    adapter.add_argument("--device", help="for the scores to test by (default: cpu)")
    adapter.add_argument(
        "--dtype", choices=["float32", "bfloat16", "float16"], help="for these (default: float32)"
    )
    crate = parser.add_argument_group("with --crate")
    crate.add_argument(
        "--citation", help="CITATION.cff with the authors (default: the one in the working directory)"
    )
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> None:
    kind = next(name for name in _OWN if getattr(options, name))
    for name in sorted({name for names in _OWN.values() for name in names} - {*_OWN[kind]}):
        if getattr(options, name) is not None:
            raise UsageError(f"--{name}: does not go with --{kind}; leave it out")
    {"adapter": _adapter, "crate": _crate, "run": _run}[kind](options, Path(options.output))


def _adapter(options: argparse.Namespace, output: Path) -> None:
    from headrank.export.adapter import Wishes, export_adapter
    from headrank.training.adapter_places import adapter_folder

    given = {
        "backbone": options.backbone,
        "revision": options.revision,
        "base": options.base,
        "name": options.name,
        "licence": options.license,
        "languages": tuple(options.language) if options.language else None,
        "datasets": tuple(options.dataset) if options.dataset else None,
        "study": Path(options.study) if options.study else None,
        "dtype": options.dtype,
        "device": options.device,
    }
    wishes = Wishes(**{key: value for key, value in given.items() if value is not None})
    base = export_adapter(Path(adapter_folder(options.adapter)), output, wishes)
    named = [base.repository and f"{base.repository}@{base.revision}", base.file]
    print(f"adapter\t{output}")
    print(f"base\t{' '.join(name for name in named if name) or 'without a public name'}")
    print("check\tloaded again, it gives equal scores")
    print(f"upload\thf upload {options.name or 'ORG/NAME'} {output}")


def _crate(options: argparse.Namespace, output: Path) -> None:
    from headrank.export.citation_file import read_citation
    from headrank.export.crate import export_crate

    citation = read_citation(Path(options.citation) if options.citation else None)
    count = export_crate(Path(options.crate), output, options.license, citation)
    print(f"crate\t{output}\nfiles\t{count}")


def _run(options: argparse.Namespace, output: Path) -> None:
    from headrank.export.run import export_run

    print(f"run\t{output}\nmetadata\t{export_run(Path(options.run), output)}")
