"""Rankings with the probability of each passage, from the same pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headrank.probability.made_with import made_with
from headrank.probability.probability import FILE, Probability
from headrank.probability.signals import read_lists

if TYPE_CHECKING:
    import pandas as pd

    from headrank.methods.ready import Ready
    from headrank.rerankers.candidates import Candidates


def probability_of(ready: Ready, path: str | Path | None = None) -> Probability | None:
    """The probability in a file, or by default the one in the folder of the method's adapter, if there is one.

    Raises InputError for a file that is missing or malformed, or was fitted for another method, model or prompt.
    """
    if path is None:
        if ready.adapter is None or not (ready.adapter / FILE).is_file():
            return None
        path = ready.adapter / FILE
    found = Probability.load(path)
    found.made_with.fits(made_with(ready), str(path))
    return found


def rank_with_probability(
    ready: Ready, probability: Probability, candidates: Sequence[Candidates], tokens_per_pass: int = 0
) -> pd.DataFrame:
    """As ``ready.rank``, with a column ``probability``: that of each passage, not yet falling with the rank."""
    ranking, signals = read_lists(ready, candidates, tokens_per_pass)
    signals["probability"] = probability.of(signals)
    chances = signals[["qid", "docid", "probability"]]
    return ranking.merge(chances, on=["qid", "docid"], how="left", validate="one_to_one")
