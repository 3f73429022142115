"""Weights of untrained networks, and a moving texture whose motion is known."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from echo_keypoints.evaluation.peers.detectors.deeplab import DeepLab
from echo_keypoints.evaluation.peers.detectors.echoglad import EchoGLAD
from echo_keypoints.evaluation.peers.engine import Engine
from echo_keypoints.networks.flownet import FlowNet
from echo_keypoints.networks.sknet import SKNet
from echo_keypoints.networks.trnet import TRNet
from echo_keypoints.networks.weights import save_weights


class MovingTexture(NamedTuple):
    """Frames ``(T, 224, 224)`` and the exact tracks ``(T, 4, 2)`` of four of its points."""

    video: NDArray[np.uint8]
    tracks: NDArray[np.float64]


@pytest.fixture(scope="session")
def weights_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the three networks, small preset, and of the detectors of others."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    save_weights(DeepLab.from_preset("small", size=64), folder / "echonet_lvh.pt")
    save_weights(EchoGLAD.from_preset("small", widths=(8, 8, 8), size=64), folder / "echoglad.pt")
    for name, network in (("sknet", SKNet), ("flownet", FlowNet), ("trnet", TRNet)):
        save_weights(network.from_preset("small"), folder / f"{name}.pt")
    return folder


@pytest.fixture(scope="session")
def engine(weights_folder: Path) -> Engine:
    """The real engine on untrained networks: the right interface, meaningless points."""
    return Engine("torch", weights_folder)


@pytest.fixture(scope="session")
def moving_texture() -> MovingTexture:
    """Seven frames of smooth noise that moves by (1.25, -0.75) px per frame."""
    velocity = np.array([1.25, -0.75])
    query = np.array([[90.0, 60], [100, 84], [108, 140], [117.5, 160.25]])
    noise = np.random.default_rng(0).normal(size=(300, 300))
    texture = cv2.GaussianBlur(noise, (0, 0), 2.5)
    texture = 127 + 35 * texture / texture.std()
    frames = []
    for t in range(7):
        shift = np.column_stack([np.eye(2), velocity * t - 38])
        frames.append(cv2.warpAffine(texture, shift, (224, 224), flags=cv2.INTER_CUBIC))
    video = np.clip(np.stack(frames).round(), 0, 255).astype(np.uint8)
    return MovingTexture(video, query + velocity * np.arange(7)[:, None, None])
