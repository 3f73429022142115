"""MLP-Mixer blocks over time, key-points and channels (Tolstikhin et al., 2021)."""

from __future__ import annotations

from torch import Tensor, nn


def mlp(width: int, expansion: int) -> nn.Sequential:
    """Two linear layers along the last dimension with a wider one between them; the width stays."""
    return nn.Sequential(nn.Linear(width, width * expansion), nn.GELU(), nn.Linear(width * expansion, width))


class MixerBlock(nn.Module):
    """Let frames, then key-points, then channels exchange what they know; each step adds to its input.

    Args:
        window: number of frames T.
        landmarks: number of key-points K.
        dim: channels D.
        expansion: width of the hidden layers, times the width they mix.
    """

    def __init__(self, window: int, landmarks: int, dim: int, expansion: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.time = mlp(window, expansion)
        self.landmarks = mlp(landmarks, expansion)
        self.channels = mlp(dim, expansion)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, K, T, D)`` → the same shape."""
        x = x + self.time(self.norms[0](x).transpose(2, 3)).transpose(2, 3)
        x = x + self.landmarks(self.norms[1](x).transpose(1, 3)).transpose(1, 3)
        return x + self.channels(self.norms[2](x))
