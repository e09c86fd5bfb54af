"""What the documents hold: their code blocks, the commands in them, and which of these are not run as they stand."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
DOCUMENTS = (
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "config/README.md")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
)
# What a line of a shell's block may begin with.
PROGRAMS = {
    *(
        "headrank",
        "snakemake",
        "make",
        "pip",
        "python",
        "pytest",
        "pre-commit",
        "docker",
        "git",
        "curl",
        "apt-get",
        "validator/bin/rocrate-validator",
    ),
    *("hf", "source", "cd", "mkdir", "cat", "printf", "find", "sha256sum", "squeue", "scancel"),
}
_HEREDOC = re.compile(r"<<-?'?(\w+)'?")
_VARIABLE = re.compile(r"[A-Z_]+=\S*")
_SPAN = re.compile(r"(?<!`)`((?:headrank|snakemake|make) [^`\n]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A code block: where it begins (``file:line``) and its text."""

    where: str
    text: str
    language: str = ""


@dataclass(frozen=True)
class Command:
    """A command of a document: in one line without its comment, and as it stands there, with its here document."""

    where: str
    text: str
    script: str

    @property
    def words(self) -> list[str]:
        """The program and its arguments."""
        words = shlex.split(self.text)
        while words and _VARIABLE.fullmatch(words[0]):
            words.pop(0)
        return words


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def blocks(path: Path) -> Iterator[Block]:
    """Fenced blocks, and indented ones that follow a blank line outside a list."""
    lines = path.read_text(encoding="utf-8").split("\n")
    place = 0
    while place < len(lines):
        begin = place
        if lines[place].startswith("```"):
            language = lines[place].removeprefix("```").strip()
            place += 1
            while not lines[place].startswith("```"):
                place += 1
            yield Block(f"{name_of(path)}:{begin + 2}", "\n".join(lines[begin + 1 : place]), language)
        elif _begins_a_block(lines, place):
            while place < len(lines) and (lines[place].startswith("    ") or not lines[place].strip()):
                place += 1
            text = "\n".join(line[4:] for line in lines[begin:place]).rstrip()
            yield Block(f"{name_of(path)}:{begin + 1}", text)
            place -= 1
        place += 1


def _begins_a_block(lines: list[str], place: int) -> bool:
    """Whether an indented line begins a code block: after a blank line, and not as part of an item of a list."""
    if not lines[place].startswith("    ") or (place and lines[place - 1].strip()):
        return False
    before = [line for line in lines[:place] if line.strip()]
    return not before or not re.match(r"\s*([-*]|\d+\.) ", before[-1])


def is_shell(block: Block) -> bool:
    """Whether a block begins with a command."""
    return not block.language and bool(_program(block.text.split("\n")[0]) in PROGRAMS)


def is_python(block: Block) -> bool:
    """Whether a block is Python: it says so, or it is some that imports, loops or calls something."""
    if block.language or is_shell(block):
        return block.language == "python"
    try:
        lines = ast.parse(block.text).body
    except SyntaxError:
        return False
    values = [line.value for line in lines if isinstance(line, ast.Expr | ast.Assign)]
    calls = any(isinstance(value, ast.Call) for value in values)
    return calls or any(isinstance(line, ast.Import | ast.ImportFrom | ast.For) for line in lines)


def commands(block: Block) -> Iterator[Command]:
    """The commands of a shell's block; one goes on behind a backslash, and through its here document."""
    file, _, first = block.where.rpartition(":")
    lines = block.text.split("\n")
    place = 0
    while place < len(lines):
        begin, text = place, lines[place]
        while text.endswith("\\") or (_is_open(text) and place + 1 < len(lines)):
            place += 1
            text = text.removesuffix("\\").rstrip() + " " + lines[place].strip()
        here = _HEREDOC.search(text)
        if here:
            while lines[place].strip() != here[1]:
                place += 1
        place += 1
        text = uncommented(text)
        if text:
            yield Command(f"{file}:{int(first) + begin}", text, "\n".join(lines[begin:place]))


def _is_open(text: str) -> bool:
    """Whether a quotation goes on in the next line."""
    try:
        shlex.split(uncommented(text))
    except ValueError:
        return True
    return False


def spans(path: Path) -> Iterator[Command]:
    """Commands in running text, between backticks."""
    inside = False
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.startswith("```"):
            inside = not inside
        if not inside and not line.startswith("    "):
            for match in _SPAN.finditer(line):
                yield Command(f"{name_of(path)}:{number}", match[1], match[1])


def uncommented(text: str) -> str:
    """A line without what follows a ``#`` that begins a word outside quotation marks."""
    quote = ""
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "#" and (place == 0 or text[place - 1].isspace()):
            return text[:place].rstrip()
    return text.rstrip()


def _program(line: str) -> str:
    words = line.split()
    while words and _VARIABLE.fullmatch(words[0]):
        words.pop(0)
    return words[0] if words else ""


# Commands that no test runs as they stand: what they match -> why. Every other command is run on the mini study
# (tests/workflow/test_document_runs.py). All are checked word by word (tests/docs/test_document_commands.py).
NOT_RUN = {
    r"make (demo|demo-model|smollm2|docs)$": "builds the environment that the tests run in; CI runs it",
    r"make (test|test-fast|lint|keys|audit|bench-quick)$": "the tests, their linters, what needs a network",
    r"make (test-faults|soak|test-slurm)$": "tests of an hour, or as root",
    r"make test-gpu$": "needs a GPU",
    r"make (test-frameworks|test-serve|test-ranx)$": "tests with libraries of others",
    r"make report": "its two commands are run by tests/workflow/test_mini.py",
    r"source ": "sets up a shell",
    r"pip install": "installs",
    r"hf ": "uploads",
    r"docker build": "needs a container engine and a registry; tests/unit/export/test_tirex.py runs its script",
    r"(python -m venv validator|validator/)": "needs a network and an environment of its own",
    r"headrank probability .*FOLDER": "with the reader's folders; tests/unit/probability",
    r"headrank serve": "runs until it is told to stop; tests/unit/serve/test_load_and_stop.py",
    r"curl http://127": "asks a server; tests/unit/serve/test_rerank_paths.py",
    r"(squeue|scancel) ": "needs Slurm; tests/slurm/interrupted_run.py follows these steps",
    r"snakemake .*profiles/(slurm|workstation)": "needs a cluster or GPUs; make test-slurm, test_profiles.py",
    r"snakemake --cores (all|4 download)( --configfile config/quick\.yaml)?$": "needs a GPU or a network; "
    "tests/workflow/test_graph.py resolves its graph",
    r"snakemake --cores all bench$": "takes hours; make bench-quick",
    r"snakemake --cores all -- results/paper/": "needs a GPU",
    r"HEADRANK_DATA=/path": "needs real collections; tests/workflow/test_graph.py resolves its graph",
    r"snakemake .*config/pretrained\.yaml": "needs real collections and models",
    r"snakemake --unlock": "tests/faults/test_interrupted_study.py runs it after a kill",
    r"snakemake .*(-- summary)$": "run by tests/workflow/test_mini.py",
    r"snakemake --cores all --configfile my-study\.yaml$": "a real model; test_document_runs.py resolves its graph",
    r"headrank status results/my-study$": "after a study that is not run",
    r"headrank doctor": "tests/unit/doctor runs it",
    r"headrank bench": "takes minutes; make bench-quick",
    r"headrank cost ": "measures this machine for half a minute; tests/unit/cost",
    r"headrank .*SmolLM2": "a real model, tests/unit/engine/test_gguf_real.py",
    r"headrank explain .*results/demo": "after make demo, which ends with it",
    r"headrank rerank .*results/demo": "after make demo; docs/using.md does the same with the mini study's adapter",
    r"python tests/browser\.py": "draws the page's picture anew; needs Chromium",
    r"headrank evaluate --run mine\.trec": "of a ranking by a real model",
}


def all_blocks() -> Iterator[Block]:
    for path in DOCUMENTS:
        yield from blocks(path)


def all_commands() -> list[Command]:
    """The commands of all shells' blocks, in the order of the documents."""
    return [command for block in all_blocks() if is_shell(block) for command in commands(block)]


def python_blocks() -> list[Block]:
    return [block for block in all_blocks() if is_python(block)]


def reasons(command: Command) -> list[str]:
    """The patterns of ``NOT_RUN`` that a command matches."""
    return [pattern for pattern in NOT_RUN if re.match(pattern, command.text)]
