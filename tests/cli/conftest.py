"""Real but untrained networks for the torch engine: tracking runs in full, only its answers are arbitrary."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def untrained(tmp_path_factory) -> Path:
    """Folder with sknet.pt and trnet.pt of random weights."""
    torch = pytest.importorskip("torch")
    from echo_keypoints.networks.sknet import SKNet
    from echo_keypoints.networks.trnet import TRNet
    from echo_keypoints.networks.weights import save_weights

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models")
    save_weights(SKNet.from_preset("small"), folder / "sknet.pt")
    save_weights(TRNet.from_preset("small", dim=32, depth=2, embedding=16), folder / "trnet.pt")
    return folder


@pytest.fixture(scope="session")
def small_clip(tmp_path_factory) -> Path:
    """A moving blob as NPZ: 4 frames of 64 x 48 at 20 frames a second, 0.5 mm a pixel."""
    y, x = np.mgrid[:48, :64]
    video = np.stack([200 * np.exp(-((x - 30 - t) ** 2 + (y - 24) ** 2) / 90) for t in range(4)])
    path = tmp_path_factory.mktemp("clips") / "blob.npz"
    np.savez(path, video=video.astype(np.uint8), fps=20.0, mm_per_px=0.5)
    return path
