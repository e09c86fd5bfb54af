"""A table as a web page of its own whose columns sort when their titles are pressed; nothing is fetched."""

from __future__ import annotations

from html import escape

from headrank.tables.table import Cell, Column, Table

_STYLE = """
:root { color-scheme: light dark; }
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; }
p { max-width: 60rem; }
table { border-collapse: collapse; }
th, td { padding: .25rem .6rem; text-align: left; white-space: nowrap; }
th { border-bottom: 2px solid; vertical-align: bottom; position: sticky; top: 0; background: Canvas; }
td { border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
td.wide { white-space: normal; min-width: 12rem; max-width: 28rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
button { all: unset; cursor: pointer; font-weight: 600; }
button:focus-visible { outline: 2px solid; outline-offset: 2px; }
th[aria-sort=ascending] button::after { content: " ▲"; }
th[aria-sort=descending] button::after { content: " ▼"; }
"""
# Numbers sort by all their digits, dashes last in either direction; equal rows keep their order.
_SCRIPT = """
const body = document.querySelector("tbody");
const heads = [...document.querySelectorAll("th")];
heads.forEach((head, place) => head.firstChild.addEventListener("click", () => {
  const number = head.className === "number";
  const first = number ? "descending" : "ascending";
  const other = number ? "ascending" : "descending";
  const order = head.getAttribute("aria-sort") === first ? other : first;
  heads.forEach((one) => one.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const value = (row) => row.cells[place].dataset.value;
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    return sign * (number ? x - y : x.localeCompare(y));
  });
  body.append(...rows);
}));
"""
# A text of more characters is broken into lines.
_WIDE = 40


def to_html(table: Table) -> str:
    """The page: caption, and the table with best values bold and marks as superscripts, as in print."""
    titles = "".join(
        f"<th{_kind(column)}><button>{escape(column.title)}</button></th>" for column in table.columns
    )
    rows = "\n".join(f"<tr>{''.join(map(_cell, table.columns, row))}</tr>" for row in table.rows)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(table.label.removeprefix("tab:"))}</title>
<style>{_STYLE}</style>
</head>
<body>
<p>{escape(table.caption)}</p>
<table>
<thead><tr>{titles}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _kind(column: Column) -> str:
    return ' class="number"' if column.numeric else ""


def _cell(column: Column, cell: Cell) -> str:
    text = escape(cell.text)
    text = f"<b>{text}</b>" if cell.bold else text
    text = f"{text}<sup>{escape(cell.mark)}</sup>" if cell.mark else text
    kind = _kind(column) or (' class="wide"' if len(cell.text) > _WIDE else "")
    value = cell.text if not column.numeric else "" if cell.value is None else str(cell.value)
    return f'<td{kind} data-value="{escape(value)}">{text}</td>'
