"""From torch weights to the ONNX files that inference needs, with a check that both engines agree.

Run it as ``python -m echo_keypoints.training.export models``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from echo_keypoints.networks.lucas_kanade import LucasKanadeFlow
from echo_keypoints.networks.placenet import PlaceNet
from echo_keypoints.networks.sknet import SKNet
from echo_keypoints.networks.trnet import TRNet
from echo_keypoints.networks.weights import load_weights
from echo_keypoints.tracking.backends.base import Backend
from echo_keypoints.tracking.backends.detector import Detector, Labeller
from echo_keypoints.tracking.backends.onnx_backend import (
    BEAT,
    DESCRIPTOR,
    DETECTOR,
    FLOW_FILE,
    LABELLER,
    PLACER,
    REFINER,
    OnnxBackend,
)
from echo_keypoints.tracking.backends.torch_backend import (
    PLACENET,
    SKNET,
    TISSUE,
    TRNET,
    TorchBackend,
)
from echo_keypoints.tracking.context import temporal_context
from echo_keypoints.tracking.letterbox import MODEL_SIZE
from echo_keypoints.tracking.steady import HEIGHT, WIDTH, SteadyView
from echo_keypoints.tracking.windows import neighbour_pairs, window_indices

OPSET = 18

TOLERANCE_PX = 0.05
"""Points of ONNX Runtime and of torch differ by less than this."""


class DescriptorGraph(nn.Module):
    """`TRNet.describe` with flat inputs: the maps of one frame, then its points ``(1, 4, 2)``."""

    def __init__(self, trnet: TRNet) -> None:
        super().__init__()
        self.trnet = trnet

    def forward(self, values: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Give the descriptors."""
        *maps, points = values
        return self.trnet.describe(tuple(maps), points)


class RefinerGraph(nn.Module):
    """`TRNet.step_windows` with flat inputs: maps, points, reference points, descriptors, pairs, windows."""

    def __init__(self, trnet: TRNet, levels: int) -> None:
        super().__init__()
        self.trnet = trnet
        self.levels = levels

    def forward(self, values: Sequence[Tensor]) -> Tensor:
        """Give the refined points ``(W, T, 4, 2)``."""
        maps, (points, reference, *descriptors, pairs, windows) = values[: self.levels], values[self.levels :]
        return self.trnet.step_windows(tuple(maps), points, reference, tuple(descriptors), pairs, windows)


class FlowGraph(nn.Module):
    """`LucasKanadeFlow` on grey values ``(N, H, W)`` uint8."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = LucasKanadeFlow()

    def forward(self, reference: Tensor, target: Tensor) -> Tensor:
        """Give the flow ``(N, 2, H / 2, W / 2)``."""
        before, after = (frames.unsqueeze(1).float() / 255 for frames in (reference, target))
        return self.flow(before, after)


class BeatGraph(nn.Module):
    """`PlaceNet.beat` of one track: pictures ``(F, HEIGHT, WIDTH)`` uint8 and heights ``(4,)``."""

    def __init__(self, placenet: PlaceNet) -> None:
        super().__init__()
        self.placenet = placenet

    def forward(self, pictures: Tensor, heights: Tensor) -> Tensor:
        """Give the map of the beat."""
        return self.placenet.beat(*self.placenet.describe(pictures.float() / 255), heights[None])


class PlacerGraph(nn.Module):
    """`PlaceNet.vote` on pictures ``(N, HEIGHT, WIDTH)`` uint8 of a beat."""

    def __init__(self, placenet: PlaceNet) -> None:
        super().__init__()
        self.placenet = placenet

    def forward(self, pictures: Tensor, beat: Tensor) -> tuple[Tensor, Tensor]:
        """Give the places and the doubts ``(N, 4, 2)``."""
        votes = self.placenet.vote(*self.placenet.describe(pictures.float() / 255), beat)
        return self.placenet.places(votes), self.placenet.doubts(votes)


def export_detector(sknet: SKNet, trnet: TRNet, folder: Path) -> None:
    """Write ``detector.onnx``: SK-net, decoding, and TR-net's maps.

    Args:
        sknet: trained detector, on the CPU.
        trnet: trained refiner, on the CPU.
        folder: where to write.
    """
    outputs = ["points", "peak", "spread_px", *_level_names(trnet)]
    _write_of_frames(folder / DETECTOR, Detector(sknet, trnet), outputs)


def export_refiner(sknet: SKNet, trnet: TRNet, folder: Path) -> None:
    """Write ``descriptor.onnx`` and ``refiner.onnx``.

    Args:
        sknet: trained detector, on the CPU; its features are the example.
        trnet: trained refiner, on the CPU.
        folder: where to write.
    """
    frames = torch.from_numpy(cloudy_frames(trnet.window))
    with torch.no_grad():
        contexts = torch.from_numpy(temporal_context(frames.numpy())).repeat(len(frames), 1, 1, 1)
        points, _, _, *maps = Detector(sknet, trnet).eval()(frames, contexts)
        # Contiguous copies: the exporter would otherwise tie the inputs to each other.
        first = [level[:1].clone() for level in maps]
        reference = points[:1].clone()
        descriptors = trnet.describe(tuple(first), reference)
    levels = _level_names(trnet)
    known = [f"descriptor_{i}" for i in range(len(descriptors))]
    batch = torch.export.Dim("frames")
    _write(folder / DESCRIPTOR, DescriptorGraph(trnet), ([*first, reference],), [*levels, "points"], known)
    pairs, windows = map(torch.from_numpy, neighbour_pairs(np.arange(trnet.window)[None].repeat(2, axis=0)))
    row, window = torch.export.Dim("pairs"), torch.export.Dim("windows")
    _write(
        folder / REFINER,
        RefinerGraph(trnet, len(maps)),
        ([*maps, points.clone(), reference, *descriptors, pairs, windows],),
        [*levels, "points", "reference_points", *known, "pairs", "windows"],
        ["refined"],
        ([*[{0: batch}] * (len(maps) + 1), *[None] * (len(known) + 1), {1: row}, {0: window}],),
    )


def _level_names(trnet: TRNet) -> list[str]:
    """Names of `TRNet.encode`'s maps: the frames, and one of each level."""
    return [f"map_{i}" for i in range(1 + len(trnet.levels))]


def export_labeller(sknet: SKNet, folder: Path) -> None:
    """Write ``tissue.onnx``.

    Args:
        sknet: that labels the tissue, on the CPU.
        folder: where to write.
    """
    _write_of_frames(folder / LABELLER, Labeller(sknet), ["tissue"])


def export_placer(placenet: PlaceNet, folder: Path) -> None:
    """Write ``beat.onnx`` and ``placer.onnx``.

    Args:
        placenet: trained, on the CPU.
        folder: where to write.
    """
    pictures = torch.from_numpy(cloudy_frames(12)[:, :HEIGHT, :WIDTH].copy())
    heights = torch.tensor([-0.5, -0.3, 0.3, 0.5])
    graph = BeatGraph(placenet.eval())
    with torch.no_grad():
        beat = graph(pictures, heights)
    sides = ({0: torch.export.Dim("frames")}, None)
    _write(folder / BEAT, graph, (pictures, heights), ["pictures", "heights"], ["beat"], sides)
    _write(
        folder / PLACER,
        PlacerGraph(placenet),
        (pictures, beat),
        ["pictures", "beat"],
        ["places", "doubts"],
        sides,
    )


def export_flow(path: Path) -> None:
    """Write the graph of `LucasKanadeFlow`; needed only when that changes."""
    frames = torch.from_numpy(cloudy_frames(4))
    before, after = frames[:3, :96, :64].clone(), frames[1:4, :96, :64].clone()
    rows, columns = torch.export.Dim("rows", min=2), torch.export.Dim("columns", min=2)
    sides = {0: torch.export.Dim("pairs"), 1: 16 * rows, 2: 16 * columns}
    _write(path, FlowGraph(), (before, after), ["reference", "target"], ["flow"], (sides, sides))


def largest_disagreement(one: Backend, other: Backend, frames: NDArray[np.uint8]) -> float:
    """Largest distance in model px between what two engines detect, then refine from the same start, and place.

    Args:
        one, other: the engines; both or none can place.
        frames: ``(N, 224, 224)``, at most as many as their window.
    """
    contexts = [temporal_context(frames)] * len(frames)
    detected = [backend.detect(frames, contexts) for backend in (one, other)]
    start = detected[0].points
    view = SteadyView.of(start)
    pictures = view.pictures(frames)
    refined, placed = [], []
    for backend, seen in zip((one, other), detected, strict=True):
        descriptors = backend.describe(seen.maps, 0, start[0])
        windows = window_indices(0, backend.window, len(frames))[None]
        refined.append(backend.refine(seen.maps, start, start[0], descriptors, windows))
        if backend.can_place:
            sighting = backend.place(pictures, backend.see_beat(pictures, view.heights))
            placed.append(view.to_frames(sighting.places))
        else:
            placed.append(start)
    differences = (detected[0].points - detected[1].points, refined[0] - refined[1], placed[0] - placed[1])
    return max(float(np.linalg.norm(difference, axis=-1).max()) for difference in differences)


def cloudy_frames(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth random frames ``(count, 224, 224)``: on noise the arg-max would be a matter of rounding."""
    coarse = torch.from_numpy(np.random.default_rng(seed).normal(size=(count, 1, 14, 14)).astype(np.float32))
    smooth = nn.functional.interpolate(coarse, MODEL_SIZE, mode="bicubic")[:, 0]
    return (128 + 60 * smooth).clamp(0, 255).to(torch.uint8).numpy()


def export_models(folder: Path, trained: str | None = None) -> float:
    """Export the weights of a folder, and compare both engines.

    Args:
        folder: of the weights, as `TorchBackend.load` takes it; the ONNX files go there, too.
        trained: ``"sknet"``, ``"trnet"``, ``"placenet"`` or ``"tissue"`` if the folder has ONNX files and only those
            weights have changed since they were written; None to write all of them.

    Returns:
        The largest distance between their points, in model px.

    Raises:
        ModelError: the weights are missing or damaged.
        ValueError: that distance exceeds `TOLERANCE_PX`, or there is no such network.
    """
    if trained not in (None, "sknet", "trnet", "placenet", "tissue"):
        raise ValueError(f"no network is called {trained!r}; choose sknet, trnet, placenet or tissue")
    sknet, trnet = load_weights(folder / SKNET, SKNet), load_weights(folder / TRNET, TRNet)
    if trained in (None, "sknet", "trnet"):
        export_detector(sknet, trnet, folder)
    if trained in (None, "trnet"):
        export_refiner(sknet, trnet, folder)
    apart = (folder / TISSUE).is_file()  # else the detector labels the tissue
    if trained in (None, "tissue" if apart else "sknet"):
        export_labeller(load_weights(folder / TISSUE, SKNet) if apart else sknet, folder)
    if trained in (None, "placenet") and (folder / PLACENET).is_file():
        export_placer(load_weights(folder / PLACENET, PlaceNet), folder)
    engines = OnnxBackend(folder), TorchBackend.load(folder, device="cpu")
    distance = largest_disagreement(*engines, cloudy_frames(trnet.window))
    if not distance < TOLERANCE_PX:
        raise ValueError(f"ONNX Runtime and torch differ by {distance:.3f} px, more than {TOLERANCE_PX} px")
    return distance


def _write_of_frames(path: Path, module: nn.Module, output_names: list[str]) -> None:
    """Write a graph of any number of frames ``(N, H, W)`` and their contexts."""
    frames = cloudy_frames(2)  # a batch of one would be taken for a constant
    contexts = torch.from_numpy(temporal_context(frames)).repeat(2, 1, 1, 1)
    batch = torch.export.Dim("frames")
    inputs = ["frames", "contexts"]
    _write(path, module, (torch.from_numpy(frames), contexts), inputs, output_names, ({0: batch}, {0: batch}))


def _write(
    path: Path,
    module: nn.Module,
    arguments: tuple[Tensor | list[Tensor], ...],
    input_names: list[str],
    output_names: list[str],
    dynamic: tuple[Any, ...] | None = None,
) -> None:
    program = torch.onnx.export(
        module.eval(),
        arguments,
        input_names=input_names,
        output_names=output_names,
        dynamic_shapes=dynamic,
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # what `dynamo` promises
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # stack traces with the paths of the machine that exported
        node.doc_string = None
    program.save(path, external_data=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `export_models`."""
    parser = argparse.ArgumentParser(description="Write the ONNX files beside the weights for torch.")
    parser.add_argument("models", type=Path, help="folder of the weights")
    parser.add_argument("--flow", action="store_true", help="write the flow's graph again, too")
    options = parser.parse_args(arguments)
    folder: Path = options.models
    if options.flow:
        export_flow(FLOW_FILE)
    print(f"ONNX Runtime and torch agree within {export_models(folder):.4f} px.")


if __name__ == "__main__":
    main()
