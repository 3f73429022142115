"""The losses of the three networks."""

from .flow import FlowLoss, consistent
from .heatmap import HeatmapLoss, gaussian_heatmaps
from .regularisation import AugmentationLoss
from .trajectory import PatchLoss, PseudoLoss, TrajectoryLoss, pseudo_points

__all__ = [
    "AugmentationLoss",
    "FlowLoss",
    "HeatmapLoss",
    "PatchLoss",
    "PseudoLoss",
    "TrajectoryLoss",
    "consistent",
    "gaussian_heatmaps",
    "pseudo_points",
]
