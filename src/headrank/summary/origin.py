"""Where a study comes from, in lines: what ``provenance.json`` says, shortened to what tells studies apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Digits of a SHA-256 or a commit that are shown.
_DIGITS = 16
_PACKAGES = ("torch", "transformers", "peft", "numpy")
# Rules that took longest.
_LONGEST = 8


def origin_lines(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(what, how it was) of a study's record, as ``headrank.provenance.read_provenance`` returns it."""
    code = told["code"]
    changed = {True: ", with changes", False: ""}.get(code.get("dirty"), "")
    yield (
        "Code",
        f"headrank {code.get('library', {}).get('version', '?')}, commit {_short(code.get('commit'))}{changed}",
    )
    software = told["software"]
    packages = software.get("packages", {})
    named = [f"{name} {packages[name]}" for name in _PACKAGES if name in packages]
    yield "Software", ", ".join([f"Python {software.get('python', '?')}", *named])
    yield "Configuration", f"SHA-256 {_short(told['configuration'].get('sha256'))}"
    for name, model in told["models"].items():
        place = model.get("file") or model.get("id") or model.get("path") or model.get("source")
        yield f"Model {name}", f"{place}, SHA-256 {_short(model.get('sha256'))}"
    for name, collection in told["collections"].items():
        source = collection.get("id") or collection.get("path") or collection.get("source")
        yield f"Collection {name}", f"{source} ({', '.join(collection.get('roles', []))})"
    machine = told["machine"]
    cpu = machine.get("cpu") or {}
    gpus = ", ".join(gpu["name"] for gpu in machine.get("gpus") or []) or "no GPU"
    yield "Machine", f"{cpu.get('model') or 'processor unknown'}, {cpu.get('cores')} cores, {gpus}"
    yield "Written", str(told.get("written", "?"))


def time_lines(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(rule, jobs and seconds) of the rules that took longest, and the sum over all."""
    rules = sorted(told["time"]["rules"].items(), key=lambda item: -item[1]["seconds"])
    for name, spent in rules[:_LONGEST]:
        jobs = "1 job" if spent["jobs"] == 1 else f"{spent['jobs']} jobs"
        yield name, f"{jobs}, {spent['seconds']:,.0f} s"
    rest = len(rules) - _LONGEST
    more = f", {rest} rules more" if rest > 0 else ""
    yield "all", f"{told['time']['job_seconds']:,.0f} s; jobs that ran in parallel are added up{more}"


def _short(digest: Any) -> str:
    return str(digest)[:_DIGITS]
