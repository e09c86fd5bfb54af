"""The exponents with which time and memory grow with a size, as measured and by the arithmetic."""

from __future__ import annotations

import numpy as np
import pandas as pd

from headrank.cost.machine_rates import solve
from headrank.cost.measured import SIZES
from headrank.cost.predict import Rates, seconds_of
from headrank.errors import InputError

POINT = ["backbone", "dtype", "device", "threads", "varied", "n", "words", "depth", "lists"]
# The column that measures each size; for the model, the parameters of the layers that run.
SIZE_COLUMNS = {"n": "n", "words": "words", "depth": "layers", "lists": "lists", "model": "weights"}


def medians(rounds: pd.DataFrame) -> pd.DataFrame:
    """One row per backbone and point, from ``headrank.cost.measured.GROWTH_COLUMNS``: medians over the rounds.

    predicted_seconds: by the two rates (``headrank.cost.machine_rates``) that fit the backbone's own times best. size:
    what is varied, in its own unit. If several backbones were measured at the same base point, that point appears again
    as varied "model", predicted with the first one's rates. Raises InputError for a backbone with only one point.
    """
    facts = ["layers", "tokens", "products", "attention", "weights"]
    facts += ["memory", "predicted_memory", "weight_memory"]
    frame = rounds.groupby([*POINT, *facts], sort=False, dropna=False)["seconds"].median().reset_index()
    rates = {str(name): _rates(part) for name, part in frame.groupby("backbone", sort=False)}
    base = frame[frame["varied"] == "base"]
    same = base.groupby(["n", "words", "depth", "lists"])["backbone"].transform("nunique")
    models = base[same > 1].assign(varied="model")
    frame = pd.concat([frame[frame["varied"] != "base"], models], ignore_index=True)
    first = next(iter(rates.values()))
    rows = frame.to_dict("records")
    frame["predicted_seconds"] = [
        seconds_of(
            row["products"], row["attention"], first if row["varied"] == "model" else rates[row["backbone"]]
        )
        for row in rows
    ]
    frame["size"] = [row[SIZE_COLUMNS[row["varied"]]] for row in rows]
    return frame


def _rates(part: pd.DataFrame) -> Rates:
    once = part.drop_duplicates(POINT[5:])
    if len(once) < 2:
        raise InputError(f"growth of {part['backbone'].iloc[0]}: needs passes of at least two sizes")
    return solve(once[["products", "attention"]].to_numpy(float), once["seconds"].to_numpy(float), "measured")


def exponents(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per backbone and size, from ``medians``: the slopes of the logarithms by least squares.

    Columns backbone (empty for "model"), varied, smallest, largest, seconds, predicted_seconds, memory,
    predicted_memory (exponents), time_error, memory_error: the largest relative deviation of the arithmetic from what
    was measured (for memory, weights included). Sizes with only one point have no row.
    """
    rows = []
    for varied in (*SIZES, "model"):
        part = frame[frame["varied"] == varied]
        for backbone, line in [("", part)] if varied == "model" else part.groupby("backbone", sort=False):
            if line["size"].nunique() < 2:
                continue
            row: dict[str, object] = {"backbone": backbone, "varied": varied}
            row |= {"smallest": line["size"].min(), "largest": line["size"].max()}
            for name in ("seconds", "memory"):
                row[name] = slope(line["size"], line[name])
                row[f"predicted_{name}"] = slope(line["size"], line[f"predicted_{name}"])
            row["time_error"] = float((line["predicted_seconds"] / line["seconds"] - 1).abs().max())
            whole = line["weight_memory"] + line["memory"]
            row["memory_error"] = float(((line["predicted_memory"] - line["memory"]) / whole).abs().max())
            rows.append(row)
    return pd.DataFrame(rows)


def slope(sizes: pd.Series, values: pd.Series) -> float:
    """The exponent of a power law through the points; NaN where a value is not positive."""
    if not (values > 0).all():
        return float("nan")
    return float(np.polyfit(np.log(sizes.astype(float)), np.log(values.astype(float)), 1)[0])
