"""EchoGLAD (Mokhtari et al., MICCAI 2023) by its authors: github.com/MasoudMo/echoglad."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from echo_keypoints.evaluation.peers.detectors.decode import expected_points
from echo_keypoints.evaluation.peers.detectors.echoglad import grid_edges, grid_sides
from echo_keypoints.evaluation.peers.protocol import Floats, Trajectories, Video

from .checkout import PEERS, import_from, load_into
from .frames import resized, scaled

SIDE = 224
GRIDS = 7
"""Auxiliary grids of 2, 4, … 128 cells a side; the 112 cells a side in the middle of the last one hold the pixels."""
ORDER = (3, 0, 1, 2)
"""Ours (SEpP, SEnP, PEnP, PEpP) among theirs: lv-ivs-bottom, lv-pw-top, lv-pw-bottom, lv-ivs-top."""

# The values of its configs/default.yml.
EMBEDDER = {"out_channels": [4], "cnn_dropout_p": 0.1, "pool_sizes": [1], "kernel_sizes": [3]}
LANDMARK = {
    "encoder_embedding_widths": [128, 64, 32, 16, 8, 4, 2],
    "encoder_embedding_dims": [8, 16, 32, 64, 128, 256, 512],
    "gnn_dropout_p": 0.5, "node_embedding_dim": 128, "node_hidden_dim": 128, "classifier_hidden_dim": 32,
    "classifier_dropout_p": 0.5, "num_gnn_layers": 3, "gnn_jk_mode": "last", "residual": True,
    "output_activation": "logit", "frame_size": SIDE, "num_aux_graphs": GRIDS, "use_coordinate_graph": False,
    "use_connection_nodes": False, "use_main_graph_only": False, "num_output_channels": 4,
}  # fmt: skip
_NEVER_CALLED = {
    "matplotlib.pyplot": "new_figure_manager",
    "torchvision.models._utils": "IntermediateLayerGetter",
    "torchsummary": "summary",
}
"""What its module imports by name and this network does not use: module → name."""


class EchoGLADOriginal:
    """EchoGLAD's networks, every frame on its own: a query is ignored.

    A landmark is the mean place under the soft-max over the pixels, as they evaluate it; confidence is the largest
    probability of a pixel.

    Args:
        checkout, weights: of the peer.

    Raises:
        ModelError: code or weights cannot be used.
    """

    def __init__(self, checkout: Path, weights: Path) -> None:
        with _stand_ins():
            code = import_from(checkout, "src.core.models", PEERS["echoglad_original"].packages)
        self._embedder = load_into(code.CNN(**EMBEDDER), weights, "embedder_state_dict")
        network = code.UNETHierarchicalPatchModel(**LANDMARK)
        self._landmark = load_into(network, weights, "landmark_state_dict")
        self._edges, self._nodes = _graph()

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`; the query is not used."""
        found = [self._detect(frame) for frame in resized(video, SIDE)]
        points, confidence = (np.stack(part) for part in zip(*found, strict=True))
        return Trajectories(scaled(points, (SIDE, SIDE), video.shape[1:]), confidence)

    def _detect(self, frame: Video) -> tuple[Floats, Floats]:
        count = self._nodes
        with torch.inference_mode():
            logits, _ = self._landmark(
                x=self._embedder(torch.from_numpy(frame)[None, None].float() / 255),
                edge_index=self._edges,
                node_type=torch.zeros(count),
                batch_idx=torch.zeros(count, dtype=torch.long),
            )  # (nodes, 4), the pixels last, row by row
            maps = logits[-SIDE * SIDE :, ORDER].T.unflatten(1, (SIDE, SIDE))[None]
            points, peak = expected_points(maps)[0], maps[0].sigmoid().amax((-2, -1))
        return points.double().numpy(), peak.double().numpy()


def _graph() -> tuple[Tensor, int]:
    """Edges both ways ``(2, E)`` of its graph, and the number of nodes.

    As ours, but the pixels hang on the middle of the finest grid, two by two.
    """
    sides = grid_sides(SIDE, GRIDS)
    one, other = grid_edges(sides, two_by_two=True)
    edges = np.concatenate([[one, other], [other, one]], axis=1)
    return torch.from_numpy(edges), sum(side**2 for side in sides)


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Let its module import what it never calls from packages that are not there, or not for this torch."""
    put: list[str] = []
    for module, name in _NEVER_CALLED.items():
        if not _importable(module):
            parents = [module[:end] for end, letter in enumerate(module) if letter == "."]
            for path in (*parents, module):
                sys.modules[path] = ModuleType(path)
                put.append(path)
            setattr(sys.modules[module], name, None)
    try:
        yield
    finally:
        for path in put:
            del sys.modules[path]


def _importable(module: str) -> bool:
    try:
        return import_module(module) is not None
    except (ImportError, RuntimeError):  # RuntimeError: torchvision of another torch
        return False
