"""`EchoGLAD`: landmarks as nodes of a hierarchy of grids (Mokhtari et al., MICCAI 2023).

A U-Net gives every pixel, and every cell of coarser and coarser grids, a feature vector. All of them are nodes of one
graph: neighbours in a grid are joined, and every cell with the four that lie in it one grid finer. Graph convolutions
(Kipf & Welling, 2017) pass messages along the edges, and an MLP says for every node and landmark whether the landmark
is there. Written from the paper in plain torch: on a fixed graph a graph convolution is one sparse matrix product, so
that no library of graphs is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from echo_keypoints.anatomy import LANDMARKS

PRESETS: dict[str, dict[str, Any]] = {
    "small": {"stem": 8, "widths": (16, 16, 32, 32, 64, 64), "nodes": 32, "layers": 3},
    "paper": {"stem": 4, "widths": (8, 16, 32, 64, 128, 256, 512), "nodes": 128, "layers": 3},
}


def grid_sides(size: int, grids: int) -> tuple[int, ...]:
    """Sides of the grids, coarsest first, the picture itself last: ``2, 4, … 2^grids, size``.

    Raises:
        ValueError: the finest auxiliary grid is not coarser than the picture.
    """
    sides = tuple(2**level for level in range(1, grids + 1))
    if sides[-1] >= size:
        raise ValueError(f"{grids} grids need frames larger than {sides[-1]} px, not {size}")
    return (*sides, size)


def grid_edges(
    sides: tuple[int, ...], *, two_by_two: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ends of the edges ``(E,)``, each edge once: neighbours within a grid, and every cell with its parent.

    Args:
        sides: of the grids, coarsest first; nodes are numbered in this order, row by row.
        two_by_two: a parent has two by two cells, and a finer grid lies in the middle of the coarser one, as in the
            authors' code; else a cell's parent is the one that holds its centre.
    """
    starts = np.concatenate([[0], np.cumsum([side**2 for side in sides])])
    edges = []
    for level, side in enumerate(sides):
        index = starts[level] + np.arange(side**2).reshape(side, side)
        edges += [(index[:, :-1], index[:, 1:]), (index[:-1], index[1:])]
        if level:
            coarse = sides[level - 1]
            centred = (coarse - side // 2) // 2 + np.arange(side) // 2
            along = centred if two_by_two else ((np.arange(side) + 0.5) * coarse // side).astype(np.int64)
            edges.append((index, starts[level - 1] + along[:, None] * coarse + along[None]))
    one, other = (np.concatenate([pair[k].ravel() for pair in edges]).astype(np.int64) for k in (0, 1))
    return one, other


def hierarchy(sides: tuple[int, ...]) -> Tensor:
    """Normalised adjacency ``D^-1/2 (A + I) D^-1/2`` of the graph, sparse ``(N, N)``, N the sum of the squared sides.

    Args:
        sides: of the grids, coarsest first.
    """
    count = sum(side**2 for side in sides)
    one, other = grid_edges(sides)
    rows = np.concatenate([one, other, np.arange(count)])
    columns = np.concatenate([other, one, np.arange(count)])
    degree = np.bincount(rows, minlength=count).astype(np.float64)
    values = 1 / np.sqrt(degree[rows] * degree[columns])
    places = torch.from_numpy(np.stack([rows, columns]))
    sparse = torch.sparse_coo_tensor(
        places, torch.from_numpy(values.astype(np.float32)), (count, count), check_invariants=True
    )
    return sparse.coalesce()


def _double(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(outputs),
        nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(outputs),
    )  # fmt: skip


class EchoGLAD(nn.Module):
    """U-Net, hierarchical graph, node classifier.

    Args:
        stem: channels at the size of the picture.
        widths: channels of the U-Net's levels, finest first; there are as many auxiliary grids.
        nodes: length of the feature vector of a node.
        layers: graph convolutions.
        dropout: of the node features.
        landmarks: number of landmarks.
        size: side of the frames that it is trained on, kept with the weights.
    """

    def __init__(
        self,
        stem: int = 4,
        widths: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512),
        nodes: int = 128,
        layers: int = 3,
        dropout: float = 0.5,
        landmarks: int = len(LANDMARKS),
        size: int = 224,
    ) -> None:
        super().__init__()
        self.preset: str | None = None
        self.overrides: dict[str, Any] = {}
        all_widths = (stem, *widths)
        self.grids, self.size = len(widths), size
        self.stem = nn.Sequential(nn.Conv2d(1, stem, 3, padding=1), nn.BatchNorm2d(stem), nn.ReLU())
        self.down = nn.ModuleList(_double(all_widths[i], all_widths[i + 1]) for i in range(self.grids))
        self.up = nn.ModuleList(
            _double(all_widths[i + 1] + all_widths[i], all_widths[i]) for i in reversed(range(self.grids))
        )
        self.embed = nn.ModuleList(nn.Conv2d(width, nodes, 1) for width in reversed(all_widths))
        self.messages = nn.ModuleList(nn.Linear(nodes, nodes) for _ in range(layers))
        self.norms = nn.ModuleList(nn.BatchNorm1d(nodes) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Sequential(nn.Linear(nodes, nodes), nn.ReLU(), nn.Linear(nodes, landmarks))
        self._graphs: dict[int, Tensor] = {}

    @classmethod
    def from_preset(cls, preset: str, **overrides: Any) -> EchoGLAD:
        """Build a network of `PRESETS`; keywords override single values."""
        network = cls(**{**PRESETS[preset], **overrides})
        network.preset, network.overrides = preset, overrides
        return network

    def forward(self, x: Tensor) -> Tensor:
        """Frames ``(B, 1, S, S)`` in [0, 1] → logits of the pixels ``(B, 4, S, S)``."""
        return self.grids_of(x)[-1]

    def grids_of(self, x: Tensor) -> list[Tensor]:
        """Frames ``(B, 1, S, S)`` → logits of all grids, coarsest first: ``(B, 4, s, s)`` each."""
        sides = grid_sides(x.shape[-1], self.grids)
        levels = self._pixels(self.stem(x), sides)
        features = [embed(level).relu() for embed, level in zip(self.embed, levels, strict=True)]
        nodes = torch.cat([level.flatten(2) for level in features], dim=2)  # (B, C, N)
        logits = self._pass_messages(nodes, self._graph(x.shape[-1], sides, x.device))
        each = torch.split(logits, [side**2 for side in sides], dim=2)
        return [part.unflatten(2, (side, side)) for part, side in zip(each, sides, strict=True)]

    def _pixels(self, x: Tensor, sides: tuple[int, ...]) -> list[Tensor]:
        """The U-Net: maps at all sides, coarsest first."""
        skips = [x]
        for block, side in zip(self.down, reversed(sides[:-1]), strict=True):
            x = F.adaptive_max_pool2d(block(x), side)
            skips.append(x)
        levels = [skips.pop()]
        for block, side in zip(self.up, sides[1:], strict=True):
            above = F.interpolate(levels[-1], size=(side, side), mode="nearest")
            levels.append(block(torch.cat((above, skips.pop()), dim=1)))
        return levels

    def _pass_messages(self, nodes: Tensor, graph: Tensor) -> Tensor:
        """Nodes ``(B, C, N)`` → logits ``(B, 4, N)``, by residual graph convolutions."""
        batch, _, count = nodes.shape
        h = nodes.permute(2, 0, 1)  # (N, B, C): one sparse product serves the whole batch
        for message, norm in zip(self.messages, self.norms, strict=True):
            sent = message(h).flatten(1)
            received = torch.sparse.mm(graph, sent).view(count, batch, -1)
            h = h + self.dropout(norm(received.flatten(0, 1)).relu()).view_as(received)
        return self.classify(h).permute(1, 2, 0)

    def _graph(self, size: int, sides: tuple[int, ...], device: torch.device) -> Tensor:
        if size not in self._graphs:
            self._graphs[size] = hierarchy(sides)
        return self._graphs[size].to(device)
