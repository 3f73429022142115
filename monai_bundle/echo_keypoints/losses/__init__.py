"""The losses of the three networks."""

from .heatmap import HeatmapLoss, gaussian_heatmaps

__all__ = ["HeatmapLoss", "gaussian_heatmaps"]
