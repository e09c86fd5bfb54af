"""Write the section of config/README.md that lists every key, from the schema: python workflow/schemas/document.py"""

import json
from pathlib import Path

from headrank.workflow.schema import read_schema

HERE = Path(__file__).parent
README = HERE.parents[1] / "config" / "README.md"
BEGIN, END = "<!-- every key: begin -->", "<!-- every key: end -->"
# Objects that several keys share are described under the first of them.
SAME = {"rerankers.NAME": "backbones.NAME", "encoders.NAME": "backbones.NAME"}
OVERRIDES = "keys of `headrank`"


def resolved(schema, definitions):
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    return {**definitions[name], **schema} if name else schema


def kind(schema, definitions):
    """The values that a key takes, in words."""
    if "enum" in schema:
        return " \\| ".join(f"`{'null' if value is None else value}`" for value in schema["enum"])
    kinds = schema.get("type", "any")
    words = " or ".join(kinds) if isinstance(kinds, list) else kinds.replace("array", "list")
    items = resolved(schema.get("items", {}), definitions)
    if "enum" in items:
        words += f" of {', '.join(f'`{item}`' for item in items['enum'])}"
    if "examples" in items:
        words += f" of {', '.join(f'`{item}`' for item in items['examples'])}"
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    bounds = [f"≥ {low}"] * (low is not None) + [f"> {above}"] * (above is not None)
    bounds += [f"≤ {high}"] * (high is not None) + [f"< {below}"] * (below is not None)
    return f"{words}, {' and '.join(bounds)}" if bounds else words


def rows(schema, definitions, place=""):
    """(key, values, default, description) of every key below an object, in the schema's order."""
    required = schema.get("required", [])
    for key, inner in schema.get("properties", {}).items():
        inner = resolved(inner, definitions)
        name = f"{place}{key}"
        if inner.get("description") is None:
            raise SystemExit(f"error: {name}: the schema does not describe it")
        description = " ".join(inner["description"].split())
        default = "required" if key in required and not place.endswith("NAME.") else ""
        if "default" in inner and inner["default"] not in ({}, []):
            default = f"`{json.dumps(inner['default'], ensure_ascii=False)}`"
        yield name, kind(inner, definitions), default, description
        free = inner.get("additionalProperties")
        if isinstance(free, dict):
            below = f"{name}.NAME"
            reference = free.get("$ref", "")
            free = resolved(free, definitions)
            if reference.endswith("overrides"):
                yield below, OVERRIDES, "", "What it changes."
            elif below in SAME:
                yield below, f"as `{SAME[below]}`", "", ""
            elif free.get("type") == "object":
                yield from rows(free, definitions, f"{below}.")
        elif inner.get("type") == "object":
            if key == "headrank" and place:
                yield f"{name}.…", OVERRIDES, "", ""
            else:
                yield from rows(inner, definitions, f"{name}.")


def section():
    """The section as Markdown, between its marks."""
    schema = read_schema(HERE / "config.schema.yaml")
    lines = [BEGIN, "", "| key | values | default | meaning |", "|---|---|---|---|"]
    for name, values, default, description in rows(schema, schema["$defs"]):
        lines.append(
            f"| `{name}` | {values} | {default} | {description.replace('|', '/').replace('<', '&lt;')} |"
        )
    return "\n".join([*lines, "", END])


def documented(text):
    """The text with its section made anew."""
    return f"{text.split(BEGIN)[0]}{section()}{text.split(END)[1]}"


if __name__ == "__main__":
    README.write_text(documented(README.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
