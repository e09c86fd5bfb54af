"""A page that explains one query's ranking: one HTML file that needs no server and loads nothing.

Its policy (Content-Security-Policy) forbids every request, and lets nothing run but its own script, by digest. Texts of
passages are data in it: they are put on the page as text, never as HTML.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from os import PathLike
from string import Template
from typing import Any

from headrank.data.atomic import write_text


def page_html(data: dict[str, Any]) -> str:
    """The page of what ``page_data`` gives, in ASCII alone."""
    style, script = _part("page.css"), _part("page.js")
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; base-uri 'none';"
        " form-action 'none'"
    )
    return Template(_part("page.html")).substitute(
        policy=policy,
        title=_ascii(f"{data['query']} – {data['method']}"),
        style=style,
        script=script,
        data=embedded(data),
    )


def write_page(path: str | PathLike[str], data: dict[str, Any]) -> None:
    """Write the page, whole or not at all."""
    write_text(path, page_html(data))


def embedded(data: Any) -> str:
    """JSON for a script element: ``</script>`` and ``<!--`` in a text cannot end or change it."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _ascii(text: str) -> str:
    return html.escape(text).encode("ascii", "xmlcharrefreplace").decode("ascii")


def _part(name: str) -> str:
    return files("headrank.explain").joinpath("assets", name).read_text(encoding="ascii")


def _digest(text: str) -> str:
    """A policy's name for an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
