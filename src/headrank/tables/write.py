"""One table as CSV, LaTeX and Markdown. Equal tables give equal bytes."""

from __future__ import annotations

import csv
import io
import itertools
import os
import re
from dataclasses import dataclass

from headrank.data.atomic import write_text
from headrank.errors import UsageError
from headrank.tables.table import MISSING, Cell, Column, Table

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "−": r"$-$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "±": r"$\pm$",
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "λ": r"$\lambda$",
    "μ": r"$\mu$",
    "\u2009": r"\,",
    "\u00a0": "~",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
}
_LATEX_MARKS = {"†": r"\dagger", "‡": r"\ddagger"}
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~])")


def write_table(
    table: Table,
    *,
    csv: str | os.PathLike[str],
    tex: str | os.PathLike[str],
    md: str | os.PathLike[str],
) -> None:
    """Write the table's three files, each whole or not at all."""
    texts = {csv: to_csv(table), tex: to_latex(table), md: to_markdown(table)}
    for path, text in texts.items():
        write_text(path, text)


def to_csv(table: Table) -> str:
    """Identifiers and numbers with all digits; a column ``KEY_mark`` follows one that holds superscripts."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    header: list[str] = []
    for column in table.columns:
        header += [column.key, f"{column.key}_mark"] if column.marked else [column.key]
    writer.writerow(header)
    for row in table.rows:
        line: list[str] = []
        for column, cell in zip(table.columns, row, strict=True):
            # repr gives the shortest digits that read back as the same number.
            value = "" if cell.value is None else cell.value
            line.append(value if isinstance(value, str) else repr(value))
            if column.marked:
                line.append(cell.mark)
        writer.writerow(line)
    return stream.getvalue()


def to_markdown(table: Table) -> str:
    """A pipe table under its caption; best values bold, marks as superscripts."""

    def body(cell: Cell) -> str:
        text = _MARKDOWN.sub(r"\\\1", " ".join(cell.text.split("\n")))
        text = f"**{text}**" if cell.bold else text
        return f"{text}<sup>{cell.mark}</sup>" if cell.mark else text

    lines = [_MARKDOWN.sub(r"\\\1", table.caption), ""]
    titles = (_MARKDOWN.sub(r"\\\1", column.title) for column in table.columns)
    lines.append(f"| {' | '.join(titles)} |")
    lines.append(f"|{'|'.join('---:' if column.numeric else ':---' for column in table.columns)}|")
    lines += [f"| {' | '.join(body(cell) for cell in row)} |" for row in table.rows]
    return "\n".join(lines) + "\n"


def to_latex(table: Table) -> str:
    """A floating table with booktabs rules; a first column ``backbone`` becomes a heading above its groups,
    and a second one ``kind`` a heading above each group.

    The most legible layout that fits is taken: one column of the page, both, both with upright headings. A table
    longer than a page becomes several floats with the same number, broken between backbones.
    """
    if not re.fullmatch(r"[A-Za-z0-9:.-]+", table.label):
        raise UsageError(
            f"table label {table.label!r}: use letters, digits, colon, full stop and hyphen only"
        )
    headings = table.columns[0].key == "backbone"
    kinds = [column.key for column in table.columns[:2]] == ["backbone", "kind"]
    columns = table.columns[headings + kinds :]
    layout = _layout(table, columns)
    titles = [latex_escape(column.title) for column in columns]
    if layout.upright:
        titles = [
            rf"\rotatebox{{90}}{{{title}\,}}" if column.numeric else title
            for column, title in zip(columns, titles, strict=True)
        ]
    needed = [("array", any(column.wrap for column in columns)), ("graphicx", layout.upright)]
    more = "".join(f" and {package}" for package, used in needed if used)
    lines = [rf"% needs \usepackage{{booktabs}}{more}"]
    for number, groups in enumerate(_pages(table, layout)):
        lines += [rf"\begin{{{layout.environment}}}[t]", r"\centering"]
        if number == 0:
            lines += [rf"\caption{{{latex_escape(table.caption)}}}", rf"\label{{{table.label}}}"]
        else:
            lines += [r"\addtocounter{table}{-1}", r"\caption{(continued)}"]
        lines += [
            r"\vspace{4pt}",
            layout.size,
            rf"\setlength{{\tabcolsep}}{{{layout.gap:g}pt}}",
            rf"\begin{{tabular}}{{@{{}}{''.join(_alignment(column, layout) for column in columns)}@{{}}}}",
            r"\toprule",
            " & ".join(titles) + r" \\",
        ]
        above = None
        for group in groups:
            same = headings and group[0][0] == above
            lines.append(r"\addlinespace" if same else r"\midrule")
            above = group[0][0]
            if headings and not same and group[0][0].text != MISSING:
                lines.append(_heading(group[0][0], len(columns), "textbf" if kinds else "textit"))
            if kinds:
                lines.append(_heading(group[0][1], len(columns), "textit"))
            cells = (row[headings + kinds :] for row in group)
            lines += [" & ".join(map(_latex_cell, row)) + r" \\" for row in cells]
        lines += [r"\bottomrule", r"\end{tabular}", rf"\end{{{layout.environment}}}"]
    return "\n".join(lines) + "\n"


def _heading(cell: Cell, columns: int, font: str) -> str:
    return rf"\multicolumn{{{columns}}}{{@{{}}l}}{{\{font}{{{latex_escape(cell.text)}}}}} \\"


def _pages(table: Table, layout: _Layout) -> list[list[tuple[tuple[Cell, ...], ...]]]:
    """The groups of each float: as many backbones as fit on a page, because a float cannot break."""
    pages: list[list[tuple[tuple[Cell, ...], ...]]] = [[]]
    free = _PAGE
    for _, same in itertools.groupby(table.groups, key=lambda group: group[0][0]):
        block = list(same)
        printed = sum(_lines(row, table.columns) for group in block for row in group)
        height = layout.line * (1 + printed) + (_RULE + layout.line) * len(block)
        if height > free and pages[-1]:
            pages.append([])
            free = _PAGE
        pages[-1] += block
        free -= height
    return pages


def _alignment(column: Column, layout: _Layout) -> str:
    if column.wrap:
        return rf">{{\raggedright\arraybackslash}}p{{{column.wrap * layout.character:g}pt}}"
    return "r" if column.numeric else "l"


def _lines(row: tuple[Cell, ...], columns: tuple[Column, ...]) -> int:
    """How many lines a row takes; a broken line ends between words, on average a few characters early."""
    broken = (
        -(-len(cell.text) // max(1, column.wrap - 4))
        for cell, column in zip(row, columns, strict=True)
        if column.wrap and len(cell.text) > column.wrap
    )
    return max(broken, default=1)


@dataclass(frozen=True)
class _Layout:
    environment: str
    size: str
    gap: float
    character: float  # width of one in points, rather too wide than too narrow
    room: float  # points
    line: float  # from one line to the next, points
    upright: bool = False


# Height of a page without caption, headings and rules at both ends; a rule with the space around it; both in points.
_PAGE, _RULE = 540.0, 6.0

# From the most legible to the tightest; the room is that of a two-column page of letter or A4 paper.
_LAYOUTS = (
    _Layout("table", r"\small", 5, 4.9, 235, 11),
    _Layout("table", r"\footnotesize", 4, 4.4, 235, 9.5),
    _Layout("table*", r"\small", 6, 4.9, 490, 11),
    _Layout("table*", r"\footnotesize", 4, 4.4, 490, 9.5),
    _Layout("table*", r"\footnotesize", 4, 4.4, 490, 9.5, upright=True),
    _Layout("table*", r"\scriptsize", 3, 4.0, 490, 8, upright=True),
    _Layout("table*", r"\scriptsize", 2, 4.0, 490, 8, upright=True),
)


def _layout(table: Table, columns: tuple[Column, ...]) -> _Layout:
    first = len(table.columns) - len(columns)
    for layout in _LAYOUTS:
        characters = 0
        for number, column in enumerate(columns, start=first):
            title = 2 if layout.upright and column.numeric else len(column.title)
            longest = max([title, *(len(row[number].text) for row in table.rows)])
            characters += column.wrap or longest
        if characters * layout.character + 2 * layout.gap * (len(columns) - 1) <= layout.room:
            return layout
    return _LAYOUTS[-1]


def latex_escape(text: str) -> str:
    """``text`` as LaTeX that prints it; a character that pdfLaTeX cannot set becomes its code point."""
    return "".join(_LATEX.get(character) or _latex_character(character) for character in text)


# Letters of Latin-1 and Latin Extended-A that LaTeX's default font encoding lacks.
_NOT_IN_OT1 = set("ÐÞ÷ðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲųſ")


def _latex_character(character: str) -> str:
    if " " <= character <= "~" or ("À" <= character <= "ſ" and character not in _NOT_IN_OT1):
        return character
    return " " if character.isspace() else f"[U+{ord(character):04X}]"


def _latex_cell(cell: Cell) -> str:
    text = latex_escape(cell.text)
    text = rf"\textbf{{{text}}}" if cell.bold else text
    if not cell.mark:
        return text
    marks = "".join(_LATEX_MARKS.get(mark) or latex_escape(mark) for mark in cell.mark)
    # The mark has no width, so that digits stay aligned with those of cells without a mark.
    return rf"{text}\rlap{{$^{{{marks}}}$}}"
