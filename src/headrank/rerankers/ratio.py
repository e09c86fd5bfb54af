"""Other methods' heads under HeadRank's calibrated read-out: what the heads add, apart from how they are read (R4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from headrank.engine.readout import read_out
from headrank.heads.head_set import Head
from headrank.rerankers.method import Method
from headrank.settings import InferenceSettings, Settings


def ratio(heads: Sequence[Head], settings: Settings, name: str) -> Method:
    """Shares of the list over those under the null query, heads added as logarithms; all else as in the settings."""
    calibrated = replace(
        settings,
        mass=replace(settings.mass, calibration="ratio"),
        loss=replace(settings.loss, score="mean-log"),
        inference=InferenceSettings(),
    )
    return Method(name, tuple(heads), read_out(calibrated))
