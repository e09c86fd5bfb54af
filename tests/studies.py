"""Studies as the rules see them: a configuration of the repository, changed, checked and completed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from headrank.workflow.configuration import complete
from headrank.workflow.schema import read_schema
from headrank.workflow.study import Study

REPOSITORY = Path(__file__).resolve().parents[1]
SCHEMA = read_schema(REPOSITORY / "workflow" / "schemas" / "config.schema.yaml")


def study_of(name: str = "mini", without: tuple[str, ...] = (), **changes: Any) -> Study:
    """The study of ``config/NAME.yaml`` with top-level keys changed or left out."""
    path = REPOSITORY / "config" / f"{name}.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8")) | changes
    for key in without:
        del config[key]
    complete(config, [], SCHEMA)
    return Study(config, "data")
