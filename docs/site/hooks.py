"""What the site has beyond the pages in ``docs/``: pages made from the code, and links where pages name one another.

The pages are written to be read in a terminal, too: they name each other as `docs/scale.md` in code style. On the site
such a name is a link.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
# Pages of the site that are files of the repository outside docs/.
ELSEWHERE = {
    "config/README.md": "reference/configuration.md",
    "CHANGELOG.md": "reference/changes.md",
    "CONTRIBUTING.md": "explanation/contributing.md",
    "SECURITY.md": "explanation/security.md",
}
_NAMED = re.compile(
    r"(?<![\[`])`((?:docs/[\w./-]+|config/README|CHANGELOG|CONTRIBUTING|SECURITY)\.(?:md|csv))`(?!\])"
)
_FENCE = re.compile(r"^(    |\t|```)")

PYTHON = """# Python

What `import headrank` gives. `docs/using.md` shows how it is used.

::: headrank.api.reranker.Reranker
    options: {members: [load, name, rank, rank_many]}

::: headrank.api.ranked.RankedDocument

::: headrank.data.beir.Document

::: headrank.score_prompt.score_prepared

## Errors

What goes wrong in a way that the caller can mend raises an `InputError` of one of these kinds, with one line.

::: headrank.errors
    options:
      show_root_heading: false
      show_root_toc_entry: false
      heading_level: 3
      members: [InputError, UsageError, PrerequisiteError, NotFoundError, RunError]
"""


def on_config(config: Any) -> Any:
    """Leave pages out of the navigation that are not there."""
    made = {*ELSEWHERE.values(), "reference/python.md", "reference/command-line.md", "reference/methods.md"}
    config.nav = _present(config.nav, made, Path(config.docs_dir))
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are made from the code, and the files of the repository that are pages."""
    made = {
        "reference/python.md": PYTHON,
        "reference/command-line.md": command_line(),
        "reference/methods.md": methods(),
    }
    for source, place in ELSEWHERE.items():
        made[place] = (ROOT / source).read_text(encoding="utf-8")
    for place, text in made.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn the names of pages into links; code blocks stay as they are."""
    here = page.file.src_uri

    def link(match: re.Match[str]) -> str:
        name = match[1]
        target = ELSEWHERE.get(name) or name.removeprefix("docs/")
        # Other projects have a folder of this name, too.
        if target == here or not (ROOT / name).is_file():
            return match[0]
        return f"[`{name}`]({'../' * here.count('/')}{target})"

    lines = []
    fenced = False
    for line in markdown.split("\n"):
        if line.startswith("```"):
            fenced = not fenced
        lines.append(line if fenced or _FENCE.match(line) else _NAMED.sub(link, line))
    return "\n".join(lines)


def methods() -> str:
    """The table of methods by kind."""
    from headrank.methods.table import KINDS, METHODS

    lines = [
        "# Methods",
        "",
        "What `headrank methods` lists: what each method needs besides a backbone, and what a query of N candidates",
        "costs. `docs/methods.md` has the formulas.",
    ]
    for kind, title in KINDS.items():
        entries = [entry for entry in METHODS.values() if entry.kind == kind]
        if entries:
            lines += ["", f"## {title}", "", "| name | needs | cost | about |", "|---|---|---|---|"]
        for entry in entries:
            only = " (in studies only)" if entry.studies_only else ""
            cells = (f"`{entry.name}`{only}", entry.needs or "–", entry.cost or "–", entry.about)
            lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join([*lines, ""])


def command_line() -> str:
    """The grammar of every command."""
    from headrank.cli import parser

    lines = [
        "# Command line",
        "",
        "The grammar of every command, as `--help` prints it. `docs/using.md` has examples, and the exit statuses.",
    ]
    for level, command in _commands(parser(), 2):
        lines += ["", f"{'#' * level} {command.prog}", "", _plain(command.description or ""), ""]
        usage = command.format_usage().removeprefix("usage: ")
        lines += ["```text", usage.rstrip(), "```", ""]
        rows = list(_options(command))
        if rows:
            lines += ["| | |", "|---|---|", *rows, ""]
        if command.epilog:
            lines += [_plain(command.epilog), ""]
    return "\n".join(lines)


def _commands(parser: argparse.ArgumentParser, level: int) -> Iterator[tuple[int, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in dict.fromkeys(action.choices.values()):
                yield level, command
                yield from _commands(command, level + 1)


def _options(command: argparse.ArgumentParser) -> Iterator[str]:
    """A row for each option and argument, except --help and further commands."""
    formatter = command._get_formatter()
    for action in command._actions:
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            continue
        names = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        value = formatter._format_args(action, action.dest.upper()) if action.option_strings else ""
        choices = f" One of {', '.join(map(str, action.choices))}." if action.choices else ""
        told = (formatter._expand_help(action) if action.help else "") + choices
        yield f"| `{f'{names} {value}'.strip()}` | {_plain(told).replace('|', '/')} |"


def _plain(text: str) -> str:
    """A text of the command line as Markdown that shows it as it is."""
    return re.sub(r"([*_])", r"\\\1", escape(" ".join(text.split()), quote=False))


def _present(nav: Any, made: set[str], docs: Path) -> Any:
    """The navigation without pages that are neither files nor made here."""
    if isinstance(nav, str):
        return nav if nav in made or (docs / nav).is_file() else None
    if isinstance(nav, dict):
        found = {title: _present(inner, made, docs) for title, inner in nav.items()}
        return {title: inner for title, inner in found.items() if inner} or None
    return [inner for inner in (_present(item, made, docs) for item in nav) if inner]
