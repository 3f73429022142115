"""The losses of the three networks."""

from .flow import FlowLoss, consistent
from .heatmap import HeatmapLoss, gaussian_heatmaps
from .regularisation import AugmentationLoss

__all__ = ["AugmentationLoss", "FlowLoss", "HeatmapLoss", "consistent", "gaussian_heatmaps"]
