"""How much what misses by so much still counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def cauchy_weight(misses: NDArray[np.float64], half_at_px: float) -> NDArray[np.float64]:
    """Weights of an M-estimate under a Cauchy error: 1 / (1 + |miss|² / half_at_px²).

    Args:
        misses: ``(..., 2)`` px.
        half_at_px: what misses by so much has half its weight.

    Returns:
        ``(...)`` in 0..1.
    """
    weights: NDArray[np.float64] = 1 / (1 + (misses**2).sum(axis=-1) / half_at_px**2)
    return weights
