"""Inference engines: `load_backend` gives one; ONNX Runtime never imports torch, torch never ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

from echo_keypoints.errors import ModelError
from echo_keypoints.tracking.backends.base import Backend, Detections, models_directory

__all__ = ["Backend", "Detections", "load_backend", "models_directory"]


def load_backend(
    name: str = "onnx",
    models_dir: str | Path | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> Backend:
    """Load the networks.

    Args:
        name: ``"onnx"`` (ONNX Runtime on the CPU) or ``"torch"``.
        models_dir: folder of the weights; those that came with the software by default.
        threads: CPU threads; as many as this process may use by default.
        device: torch only: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` …; CUDA if there is any by default.

    Raises:
        ModelError: no such engine or device, or the weights are missing or damaged.
    """
    folder = models_directory() if models_dir is None else Path(models_dir)
    if name == "onnx":
        if device not in (None, "cpu"):
            raise ModelError(f"The onnx engine runs on the CPU; use the torch engine for {device}.")
        from echo_keypoints.tracking.backends.onnx_backend import OnnxBackend

        return OnnxBackend(folder, threads)
    if name == "torch":
        try:
            from echo_keypoints.tracking.backends.torch_backend import TorchBackend
        except ImportError as error:
            raise ModelError("The torch engine needs torch: pip install 'echo-keypoints[train]'.") from error
        return TorchBackend.load(folder, threads, device)
    raise ModelError(f"There is no inference engine {name}; choose onnx or torch.")
