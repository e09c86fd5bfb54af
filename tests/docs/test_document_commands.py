"""Every command and example of the documents is one that there is: its grammar, its files, its targets, its keys."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml
from documents import (
    DOCUMENTS,
    NOT_RUN,
    REPOSITORY,
    Block,
    Command,
    all_blocks,
    all_commands,
    commands,
    is_python,
    is_shell,
    python_blocks,
    spans,
)
from studies import SCHEMA, study_of

import headrank
from headrank.cli import parser
from headrank.errors import InputError
from headrank.methods.table import METHODS
from headrank.workflow.artefacts import Artefacts
from headrank.workflow.cells import Cells
from headrank.workflow.configuration import complete

COMMANDS = all_commands()
SPANS = [command for path in DOCUMENTS for command in spans(path)]
# Blocks that are neither commands nor Python nor configuration: how they begin.
TEXTS = (
    "Snakefile, workflow/ ",
    "errors, process ",
    "config/mini.yaml: headrank.selection.entropy_wieght: unknown key",
    "synthesize → collection",
    "results/pretrained-quick: running",
    '{"id":"rerank-',
)
# What stands for something of the reader's.
PLACEHOLDERS = {"...", "…", "FILE…", "NAME"}
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")


def by_program(*programs: str, given: list[Command] = COMMANDS) -> list[Command]:
    found = [command for command in given if command.words[0] in programs]
    assert found
    return found


def shown(value: Command | Block) -> str:
    return value.where


def test_all_documents_are_read() -> None:
    names = {command.where.split(":")[0] for command in COMMANDS}
    assert {"README.md", "CONTRIBUTING.md", "docs/using.md", "docs/tutorial.md"} <= names
    assert len(COMMANDS) > 80
    assert len(python_blocks()) >= 5


def test_a_block_of_another_kind_is_listed() -> None:
    others = [block for block in all_blocks() if not is_shell(block) and not is_python(block)]
    unknown = [
        block.where for block in others if not block.text.startswith(TEXTS) and not is_configuration(block)
    ]
    assert unknown == []
    for text in TEXTS:
        assert any(block.text.startswith(text) for block in others), f"no block begins with {text!r} any more"


def is_configuration(block: Block) -> bool:
    try:
        return isinstance(yaml.safe_load(block.text), dict)
    except yaml.YAMLError:
        return False


@pytest.mark.parametrize(
    "block",
    [b for b in all_blocks() if not is_shell(b) and not is_python(b) and not b.text.startswith(TEXTS)],
    ids=shown,
)
def test_keys_of_a_configuration_are_known(block: Block) -> None:
    with contextlib.suppress(PartOfAStudy):
        completed(block)


class PartOfAStudy(Exception):
    """An excerpt of a configuration lacks what a study needs."""


def completed(block: Block) -> None:
    """Check a configuration; a key that is unknown is named before anything else that may be wrong."""
    try:
        complete(yaml.safe_load(block.text), [], SCHEMA)
    except InputError as error:
        if "unknown key" in str(error):
            raise
        raise PartOfAStudy from None


def test_reasons_not_to_run_a_command_are_still_needed() -> None:
    for pattern in NOT_RUN:
        assert any(re.match(pattern, command.text) for command in COMMANDS), f"{pattern} matches no command"


@pytest.mark.parametrize("command", by_program("headrank"), ids=shown)
def test_headrank_understands_its_commands(command: Command) -> None:
    options = parser().parse_args([word for word in command.words[1:] if word not in PLACEHOLDERS])
    method = getattr(options, "method", None)
    assert method is None or method in METHODS


@pytest.mark.parametrize("command", by_program("headrank", given=SPANS), ids=shown)
def test_headrank_understands_what_the_text_calls_it_with(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word for word in command.words[1:] if word not in PLACEHOLDERS and not word.isupper()]
    try:
        parser().parse_args(words)
    except SystemExit as ended:
        # In running text a command may stand without its arguments.
        said = capsys.readouterr().err
        if ended.code == 0:
            return
        assert re.search("are required|expected (one|at least one) argument", said), said


@pytest.mark.parametrize("command", by_program("make", given=COMMANDS + SPANS), ids=shown)
def test_make_has_the_target_and_reads_the_setting(command: Command) -> None:
    for word in command.words[1:]:
        name, is_setting, _ = word.partition("=")
        if is_setting:
            assert re.search(rf"^{name} \?=", MAKEFILE, re.MULTILINE)
        else:
            assert re.search(rf"^([\w-]+ )*{re.escape(name)}( [\w-]+)*:", MAKEFILE, re.MULTILINE), name


@pytest.mark.parametrize("command", by_program("snakemake", given=COMMANDS + SPANS), ids=shown)
def test_snakemake_has_the_options_files_and_targets(command: Command) -> None:
    from snakemake.cli import get_argument_parser

    words = [word for word in command.words[1:] if word not in PLACEHOLDERS]
    if words in (["--directory"], ["--force"]):
        return
    options = get_argument_parser().parse_args(words)
    given = [str(path) for path in options.configfile or ["config/config.yaml"]]
    for path in given:
        assert (REPOSITORY / path).is_file() or path in written_by(command), path
    if options.workflow_profile:
        assert (REPOSITORY / str(options.workflow_profile) / "profile.yaml").is_file()
    for target in options.targets:
        if "/" in target:
            assert target in files_of(Path(given[0]).stem), target
        else:
            assert target in rules(), target


def written_by(command: Command) -> str:
    """All that the commands of a document write, among them files of configuration."""
    file = command.where.split(":")[0]
    return "\n".join(
        other.text for other in COMMANDS if other.where.split(":")[0] == file and "> " in other.text
    )


@cache
def files_of(name: str) -> set[str]:
    """What may be asked of a study in ``config/``: runs, head sets, tables and figures."""
    study = study_of(name)
    cells = Cells(study)
    heads = [
        f"{study.results}heads/{b}/{m}.json" for b in study.backbones for m in [*study.head_sets, "headrank"]
    ]
    return {*cells.all_runs(), *Artefacts(study, cells).paper(), *heads}


@cache
def rules() -> set[str]:
    files = [REPOSITORY / "workflow" / "Snakefile", *(REPOSITORY / "workflow" / "rules").glob("*.smk")]
    return {
        name for file in files for name in re.findall(r"^rule (\w+):", file.read_text(encoding="utf-8"), re.M)
    }


def test_what_pip_installs_is_an_extra_of_this_project() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    named = {name for found in re.findall(r"(?:headrank|\.)\[([\w,]+)\]'", text) for name in found.split(",")}
    assert named
    assert named <= set(project["optional-dependencies"])


@pytest.mark.parametrize("block", python_blocks(), ids=shown)
def test_python_imports_what_there_is(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "headrank":
            spec = importlib.util.find_spec(node.module or "")
            assert spec, node.module
            source = Path(spec.origin or "").read_text(encoding="utf-8")
            # Read, not imported: a module may need a library that is not installed here.
            assert {alias.name for alias in node.names} <= {*named_in(source), *headrank.__all__}


def named_in(source: str) -> set[str]:
    """What a module defines."""
    nodes = list(ast.walk(ast.parse(source)))
    made = {node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    return made | {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def test_commands_of_a_block_are_found_whole() -> None:
    first = "A=1 headrank show a=b \\\n    --limit 2   # why"
    second = "cat > f.txt <<'END'\n# kept\nheadrank x\nEND"
    text = f"{first}\n{second}\n\nmake 'a # b'"
    found = list(commands(Block("f:7", text)))
    assert [(one.where, one.text) for one in found] == [
        ("f:7", "A=1 headrank show a=b --limit 2"),
        ("f:9", "cat > f.txt <<'END'"),
        ("f:14", "make 'a # b'"),
    ]
    assert found[0].words == ["headrank", "show", "a=b", "--limit", "2"]
    assert found[1].script == second
