"""Whether the tissues lie around the calliper as in a parasternal long axis, by what the detector labels.

*Layers*: along the calliper follow septum, left ventricle and posterior wall. *Base*: to the right of the calliper,
where by convention the base of the heart is, lie the left atrium behind and the aorta in front. *Certainty*: how sure
the labels are. They are learned from long axes alone: other views are forced into the same few names, and show it by
doubt, by layers in the wrong place and by an aorta that is not there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.anatomy import SEGMENTS, TISSUES
from echo_keypoints.tracking.windows import evenly_spread

TISSUE_FRAMES = 24
"""So many frames of a clip are labelled, evenly spread: with half of them a short axis passed for a long one."""

_STRIDE = 4
_LAYERS = [TISSUES.index(name) for name in ("septum", "LV", "posterior wall")]
_ALONG = np.linspace(0.1, 0.9, 9)  # of each segment: its ends are borders
_BESIDE = 0.1  # diameters of the cavity from the calliper
_ATRIUM, _AORTA = 0.15, 0.10  # areas of a full sight, in squared diameters
_ATRIUM_FROM, _AORTA_TO = -0.1, 0.4  # down the calliper, in diameters from the cavity's middle
_LEAST_PX = 2.0

Labels = NDArray[np.uint8]
"""``(2, h, w)`` or ``(N, 2, h, w)``: label and certainty (`Backend.label`)."""


def tissue_frames(count: int) -> NDArray[np.intp]:
    """Give the frames of a clip of `count` frames whose labels are looked at, in order."""
    return evenly_spread(count, TISSUE_FRAMES)


def surroundings(tissue: Labels, points: NDArray[np.float64]) -> dict[str, float]:
    """Look at the labels around the calliper.

    Args:
        tissue: ``(K, 2, h, w)`` of the frames of `tissue_frames`.
        points: ``(T, 4, 2)`` the track, model px, of all frames.

    Returns:
        ``layers``: share of a segment that lies on its tissue, each place weighed by the certainty of its label;
        the worst segment counts. ``base``: geometric mean of the areas of atrium and aorta where they belong, 1
        from a full sight. ``certainty``: mean over what is labelled. All from 0 to 1, medians over frames. Empty
        where the network does not label or the calliper has no length.
    """
    points = points[tissue_frames(len(points))]
    lengths = np.linalg.norm(points[:, 2] - points[:, 1], axis=-1)
    frames = np.flatnonzero(lengths > _LEAST_PX)
    if not tissue[:, 1].any() or not len(frames):
        return {}
    rows = [
        (*_layers(tissue[t], at := to_label_px(points[t])), *_base(tissue[t], at), _certainty(tissue[t]))
        for t in frames
    ]
    *layers, atrium, aorta, certainty = np.median(rows, axis=0)
    values = {"layers": min(layers), "base": np.sqrt(atrium * aorta), "certainty": certainty}
    return {name: round(float(value), 4) for name, value in values.items()}


def to_label_px(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Model pixels → pixels of the labels."""
    return (points - (_STRIDE - 1) / 2) / _STRIDE


def _layers(tissue: Labels, points: NDArray[np.float64]) -> list[float]:
    """Share of each segment on its tissue."""
    label, certainty = tissue
    height, width = label.shape
    shares = []
    for layer, segment in zip(_LAYERS, SEGMENTS, strict=True):
        spots = points[segment.start] + _ALONG[:, None] * (points[segment.end] - points[segment.start])
        x, y = np.rint(np.clip(spots, 0, (width - 1, height - 1))).astype(int).T
        shares.append(float(np.mean((label[y, x] == layer) * certainty[y, x])) / 255)
    return shares


def _base(tissue: Labels, points: NDArray[np.float64]) -> tuple[float, float]:
    """Sights of atrium and aorta, 0 to 1."""
    label, certainty = tissue
    down = points[2] - points[1]
    right, area = np.array([down[1], -down[0]]), down @ down
    y, x = np.indices(label.shape)
    offset = np.stack((x, y), axis=-1) - (points[1] + points[2]) / 2
    beside, below = offset @ right / area > _BESIDE, offset @ down / area

    def sight(name: str, where: NDArray[np.bool_], full: float) -> float:
        seen = (label == TISSUES.index(name)) & where
        return min(float(certainty[seen].sum(dtype=float)) / 255 / (area * full), 1.0)

    return (
        sight("LA", beside & (below > _ATRIUM_FROM), _ATRIUM),
        sight("aorta", beside & (below < _AORTA_TO), _AORTA),
    )


def _certainty(tissue: Labels) -> float:
    label, certainty = tissue
    return float(certainty[label > 0].mean()) / 255 if label.any() else 0.0
