"""How well two ways of measuring the same lengths agree: bias, limits of agreement, intraclass correlation.

Values are per measurement (one length of one clip at one moment), in any unit. A result that the input does not
define (fewer than two measurements) is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

LIMIT_SD = 1.96


@dataclass(frozen=True)
class Agreement:
    """Bland and Altman (Lancet 1986): the differences ``predicted - true`` in numbers.

    Attributes:
        bias: their mean.
        sd: their standard deviation, of a sample.
        low, high: 95 % limits of agreement, ``bias ± 1.96 sd``.
        icc: ICC(2,1), see `icc_2_1`.
        count: measurements.
    """

    bias: float
    sd: float
    low: float
    high: float
    icc: float
    count: int


def agreement(predicted: ArrayLike, true: ArrayLike) -> Agreement:
    """Compare two lists of measurements ``(N,)`` of the same things.

    Raises:
        ValueError: the lists differ in length.
    """
    one, other = _columns(predicted, true)
    differences = one - other
    bias = float(differences.mean()) if differences.size else float("nan")
    sd = float(differences.std(ddof=1)) if differences.size > 1 else float("nan")
    icc = icc_2_1(np.stack([one, other], axis=1))
    return Agreement(bias, sd, bias - LIMIT_SD * sd, bias + LIMIT_SD * sd, icc, differences.size)


def icc_2_1(ratings: ArrayLike) -> float:
    """Intraclass correlation for absolute agreement of single ratings, two-way random effects.

    ICC(2,1) of Shrout and Fleiss (Psychological Bulletin 1979):
    ``(BMS - EMS) / (BMS + (k - 1) EMS + k (JMS - EMS) / n)``, the mean squares between targets, between judges and
    of the error.

    Args:
        ratings: ``(n, k)``: n targets, each rated by the same k judges.

    Returns:
        At most 1; NaN for fewer than two targets or judges, or if nothing varies.
    """
    x = np.asarray(ratings, np.float64)
    if x.ndim != 2 or min(x.shape) < 2:
        return float("nan")
    n, k = x.shape
    grand, targets, judges = x.mean(), x.mean(axis=1), x.mean(axis=0)
    between = k * ((targets - grand) ** 2).sum() / (n - 1)
    of_judges = n * ((judges - grand) ** 2).sum() / (k - 1)
    error = ((x - targets[:, None] - judges + grand) ** 2).sum() / ((n - 1) * (k - 1))
    scale = between + (k - 1) * error + k * (of_judges - error) / n
    return float((between - error) / scale) if scale > 0 else float("nan")


def _columns(predicted: ArrayLike, true: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    one, other = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"two lists of the same length are compared, not {one.shape} and {other.shape}")
    return one, other
