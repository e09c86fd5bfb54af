"""From the signal of a passage to its probability of relevance, as a file keeps it (docs/scores.md).

A passage's signal is compared with what an irrelevant passage of its length gets at its place in the prompt. How far
it lies above, and how far those of its list do on average, is turned into a probability by a curve that rises (Platt,
1999; Zadrozny and Elkan, KDD 2002).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headrank.data.atomic import write_json
from headrank.data.json_files import read_json
from headrank.errors import InputError
from headrank.probability.made_with import MadeWith
from headrank.specs import NotNegative, Positive, Share, read_spec

Array = NDArray[np.float64]
Signal = Literal["ratio", "mass"]
SCHEMA = 1
# The name that it has in an adapter's folder, where it is found without being named.
FILE = "probability.json"


@dataclass(frozen=True)
class Expected:
    """The signal that an irrelevant passage has: a sum of these, and the standard deviation around it.

    length: times the logarithm of the passage's length in tokens. place, bend: times its place in the prompt, from 0
    (the first) to 1 (the last), and times the square of it.
    """

    constant: float
    length: float
    place: float
    bend: float
    spread: Positive

    def excess(self, signals: pd.DataFrame, signal: str) -> Array:
        """(passages,): how far each signal lies above what is expected, in standard deviations."""
        weights = np.array([self.constant, self.length, self.place, self.bend])
        found: Array = (
            signals[signal].to_numpy(dtype=np.float64) - covariates(signals) @ weights
        ) / self.spread
        return found


def covariates(signals: pd.DataFrame) -> Array:
    """(passages, 4): what ``Expected`` weighs, of a frame of ``headrank.probability.signals.SIGNALS``."""
    length = np.log(signals["length"].to_numpy(dtype=np.float64).clip(1))
    last = (signals["documents"].to_numpy(dtype=np.float64) - 1).clip(1)
    place = signals["position"].to_numpy(dtype=np.float64) / last
    return np.stack([np.ones_like(place), length, place, place**2], axis=1)


@dataclass(frozen=True)
class Curve:
    """A curve that rises: excess to probability. Platt's has a slope (above 0) and a constant: 1 / (1 + exp(−(slope x +
    constant))). The isotonic one has points, between which it is a line and outside of which it is flat.
    """

    form: Literal["platt", "isotonic"]
    slope: float = 0.0
    constant: float = 0.0
    points: tuple[tuple[float, Share], ...] = ()

    def __call__(self, excess: Array) -> Array:
        if self.form == "platt":
            # As exp would overflow far from 0.
            found: Array = 0.5 * (1 + np.tanh((self.slope * excess + self.constant) / 2))
            return found
        x, p = np.array(self.points).T
        between: Array = np.interp(excess, x, p)
        return between

    def check(self, where: str) -> None:
        x = [place for place, _ in self.points]
        p = [chance for _, chance in self.points]
        if self.form == "platt" and not self.slope > 0:
            raise InputError(f"{where}: curve.slope is {self.slope}, expected more than 0; fit again")
        if self.form == "isotonic" and (not x or sorted(set(x)) != x or sorted(p) != p):
            raise InputError(f"{where}: curve.points do not rise; fit again")


@dataclass(frozen=True)
class Probability:
    """A fitted probability. level: how much the mean excess of a list counts beside that of the passage. provenance:
    what it was fitted on, and how well it did on held-out queries.
    """

    made_with: MadeWith
    signal: Signal
    expected: Expected
    curve: Curve
    level: NotNegative = 0.0
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def of(self, signals: pd.DataFrame) -> Array:
        """(passages,): the probability of each passage, of a frame of ``headrank.probability.signals.SIGNALS``.

        A list is what has the same ``qid``; all its passages have to be there. A passage without a token has
        probability 0. Nothing makes them fall with the rank yet (``falling``).
        """
        excess = self.expected.excess(signals, self.signal)
        chances = self.curve(excess + self.level * list_means(signals, excess))
        return np.where(signals["length"].to_numpy() > 0, chances, 0.0)

    def save(self, path: str | Path) -> None:
        write_json(path, {"schema": SCHEMA, **asdict(self)})

    @classmethod
    def load(cls, path: str | Path) -> Probability:
        """Read a file; InputError names it and what is wrong with it."""
        data = read_json(path, "probability")
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise InputError(f"{path}: not a probability of schema {SCHEMA}")
        try:
            found = read_spec(
                cls, {key: value for key, value in data.items() if key != "schema"}, "probability"
            )
        except InputError as error:
            raise InputError(f"{path}: malformed {error}") from None
        found.curve.check(str(path))
        return found


def list_means(signals: pd.DataFrame, excess: Array) -> Array:
    """(passages,): the mean excess of each passage's list."""
    found: Array = pd.Series(excess).groupby(signals["qid"].to_numpy()).transform("mean").to_numpy()
    return found


def falling(chances: Array) -> Array:
    """Probabilities in the order of a ranking, changed as little as possible (least squares) so that they never rise.

    The method's order stands, and the mean of the list stays: neighbours in the wrong order share their mean.
    """
    blocks: list[tuple[float, int]] = []
    for chance in chances.tolist():
        mean, size = chance, 1
        while blocks and blocks[-1][0] < mean:
            before, count = blocks.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    return np.repeat([mean for mean, _ in blocks], [size for _, size in blocks]).astype(np.float64)
