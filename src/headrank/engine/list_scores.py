"""From heads' document masses to document scores (R4, R8, R11), with one arithmetic for passes and stored masses.

Inference and training call it with tensors, including gradients; selection, mining and replay with NumPy arrays, since
they run where PyTorch is not installed. Operations that both spell alike are written once; only the logarithm differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

# float32 tensors of a pass, float64 arrays of stored masses.
Values = TypeVar("Values", "Tensor", "NDArray[Any]")


def over_length(mass: Values, lengths: Values, alpha: float) -> Values:
    """(..., documents) masses over the documents' token counts, (documents,) and at least 1, to a power (R4)."""
    return mass / lengths.clip(1) ** alpha if alpha else mass


def list_shares(mass: Values, epsilon: float, null: Values | None = None) -> Values:
    """p_h(i) of R4: (..., documents) masses as shares of the list, which add up to 1.

    Calibrated masses can be negative; they count as 0 here. null: masses under the null query. Shares are then divided
    by the null query's shares and add up to 1 again. Except for a constant of the list, their logarithm is the
    pointwise mutual information of query and document under the head's attention. What a document attracts under any
    query, above all because of its place in the prompt, cancels out.
    """
    shares = of_the_sum(mass.clip(0) + epsilon)
    return shares if null is None else of_the_sum(shares / list_shares(null, epsilon))


def of_the_sum(values: Values) -> Values:
    """(..., documents) values over their sum."""
    found: Values = values / values.sum(-1)[..., None]
    return found


def add_heads(values: Values, logarithm: bool) -> Values:
    """s of R11: (heads, documents) values of each head, or their logarithms, added up to (documents,) scores."""
    added: Values = (_log(values) if logarithm else values).sum(0)
    return added


def list_scores(values: Values, form: str) -> Values:
    """f of R8: (heads, documents) list shares to (documents,) scores; increases with R11's s, so both rank alike.

    ``log-mean``: log of the mean share over heads; ``mean-log``: mean over heads of the log share; ``mass``: the sum
    over heads of raw masses instead of shares.
    """
    scores = add_heads(values, form == "mean-log")
    if form == "mass":
        return scores
    mean: Values = scores / len(values)
    return _log(mean) if form == "log-mean" else mean


def _log(values: Values) -> Values:
    found: Values = np.log(values) if isinstance(values, np.ndarray) else values.log()
    return found
