"""The features of Kumar et al. (CVPR Workshops 2010): scale-invariant features of edge-filtered motion.

Between frames the speed of the tissue is a picture; it is kept only near edges of the image, where speckle noise does
not reach, and SIFT finds and describes what stands out in it. A clip is the histogram of its features over a
vocabulary, which is learnt from the training patients of each fold alone. The paper of Kumar et al. compares the sets
by a pyramid match kernel; here the vocabulary and an RBF kernel take its place.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans

Floats = NDArray[np.float64]

FEATURES_A_FRAME = 30
STEP = 2
"""Every so many frames."""
EDGE_PX = 5
WORDS = 48
PLACE_WEIGHT = 2.0
"""Weight of the place (in frame sides) against a SIFT vector of length 1."""


def motion_features(video: NDArray[np.uint8]) -> Floats:
    """Features of a clip ``(T, H, W)`` uint8: ``(N, 130)``, each a SIFT vector of length 1 and its place."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    sift = cv2.SIFT.create(nfeatures=FEATURES_A_FRAME, contrastThreshold=0.01)
    found = []
    for before, after in zip(video[:-1:STEP], video[1::STEP], strict=False):
        speed = np.linalg.norm(flow.calc(before, after, None), axis=-1)
        filtered = speed * _near_edges(before)
        picture = cv2.normalize(filtered, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
        points, vectors = sift.detectAndCompute(picture, None)
        if vectors is not None:
            unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
            places = np.array([point.pt for point in points]) / before.shape[::-1]
            found.append(np.hstack([unit, PLACE_WEIGHT * places]))
    return np.concatenate(found).astype(np.float64) if found else np.zeros((0, 130))


def _near_edges(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    edges = cv2.Canny(cv2.GaussianBlur(frame, (0, 0), 2.0), 20, 60)
    return (cv2.dilate(edges, np.ones((EDGE_PX, EDGE_PX), np.uint8)) > 0).astype(np.uint8)


class Vocabulary(TransformerMixin, BaseEstimator):
    """Sets of features → histograms over words that k-means learns from the sets that it is fitted on.

    Args:
        words: of the vocabulary.
    """

    def __init__(self, words: int = WORDS) -> None:
        self.words = words

    def fit(self, sets: Sequence[Floats], _: object = None) -> Vocabulary:
        """Learn the words."""
        features = np.concatenate(list(sets))
        count = max(1, min(self.words, len(features)))
        self.clusters_ = KMeans(count, n_init=1, random_state=0).fit(
            features if len(features) else np.zeros((1, 130))
        )
        return self

    def transform(self, sets: Sequence[Floats]) -> Floats:
        """``(N, words)``; rows sum to 1, or are 0 for a clip without features."""
        count = self.clusters_.n_clusters
        rows = [
            np.bincount(self.clusters_.predict(s), minlength=count) if len(s) else np.zeros(count)
            for s in sets
        ]
        histograms = np.array(rows, np.float64)
        return histograms / np.maximum(histograms.sum(axis=1, keepdims=True), 1)
