"""The data on which a criterion chooses heads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from headrank.engine.features import Features
from headrank.settings import Settings


@dataclass(frozen=True)
class Judged:
    """The stored features of judged lists, and the settings of the study.

    lists: as ``headrank.data.training_lists`` makes them. provenance: what is known of the choice so far; it goes into
    the head set.
    """

    features: Features
    lists: pd.DataFrame
    settings: Settings
    provenance: Mapping[str, Any] = field(default_factory=dict)
