"""Where a person measures: on one line nearly at right angles to the cavity's long axis, just below the leaflets' tips.

ASE 2015 asks for that. By the book the long axis runs from the apex to the middle of the mitral ring; the ring hangs
nearer to the posterior wall, so that in most of these hearts the axis leans by 6 degrees from the middle of the cavity
around the landmarks. But the apex is seldom seen in this view: readers' lines lean by 2 degrees, a third of that.

Every heart is warped into a shape of its own, which also turns and bends what was a straight line across it; nobody
could see that in a picture, so the line is laid when the heart has its shape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.data.simulation.heart import BELOW_TIPS, Heart

FloatArray = NDArray[np.floating]

_APICAL_MM, _BASAL_MM = 30.0, 8.0  # how much of the cavity below and above the line shows where its axis runs
_LEAN = 1 / 3  # of the way from the middle of the cavity to the axis by the book
_SEARCHED_MM = 25.0  # to either side of where the line would cross the walls if there were no warp


def material_places(heart: Heart, placed: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Find the landmarks' tissue at end-diastole.

    The middle of the cavity is taken around the leaflets' tips, a bulge of the basal septum left out.

    Args:
        heart: before it is warped.
        placed: heart coordinates ``(..., 2)`` → mm in the warped heart.

    Returns:
        ``(4,)`` material coordinates u of SEpP, SEnP, PEnP, PEpP, for `Heart.landmarks`.
    """
    u = np.linspace(heart.landmark_u - _APICAL_MM, heart.landmark_u + _BASAL_MM, 39)
    even = heart.cavity(u, +1)
    middle = (placed(np.stack([u, -even], -1)) + placed(np.stack([u, even], -1))) / 2
    axis = np.linalg.svd(middle - middle.mean(axis=0))[2][0]
    axis *= np.sign(axis[0])  # towards the base
    curtain, _, posterior = heart.hinges(0.0)
    by_the_book = placed((curtain + posterior) / 2) - placed(np.array([-heart.apex_length, 0.0]))
    axis = (1 - _LEAN) * axis + _LEAN * by_the_book / np.linalg.norm(by_the_book)
    axis /= np.linalg.norm(axis)
    tip = placed(np.array([heart.tips_u, heart.curtain[1]]))
    level = float(tip @ axis) - BELOW_TIPS

    u = heart.landmark_u + np.linspace(-_SEARCHED_MM, _SEARCHED_MM, 401)
    places = []
    for side, outer in ((-1, 1), (-1, 0), (+1, 0), (+1, 1)):
        border = side * (heart.cavity(u, side) + outer * heart.wall(u, side))
        places.append(np.interp(level, placed(np.stack([u, border], -1)) @ axis, u))
    return np.array(places)
