"""What each stage trains on and is validated with: the phantom, or a user's clips where there are any.

Only `labelled_frames` and `looks` give landmarks to a training. The training parts of `clips` and `pairs` have none to
give; their validation parts have the phantom's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from echo_keypoints.data.clips import ClipWindows, LabelledFrames
from echo_keypoints.data.looks import Looks
from echo_keypoints.data.pairs import FramePairs
from echo_keypoints.data.phantoms import VALIDATION_SEED, PhantomClips, PhantomFrames, TrackedPhantomClips

Items = Sequence[Mapping[str, Any]] | None
Source = Dataset[dict[str, Tensor]]


def labelled_frames(
    part: str, data: Items = None, frames: int = 4, size: int = 224, hearts: int = 64, seed: int = 0
) -> Source:
    """Frames with landmarks, for SK-net: see `PhantomFrames` and `LabelledFrames`.

    Args:
        part: ``"train"``: endless and varied; ``"validate"``: few and always the same.
        data: clips with labels; None for the phantom.
        frames: of one heart or clip.
        size: side in px.
        hearts: validation phantoms.
        seed: of a user's clips; for the phantom, the first training heart.
    """
    train = _is_train(part)
    if data is not None:
        return LabelledFrames(data, frames, size, augment=train, seed=seed)
    if train:
        return PhantomFrames(VALIDATION_SEED - seed, frames, size, seed)
    return PhantomFrames(hearts, frames, size, VALIDATION_SEED)


def looks(
    part: str,
    data: Items = None,
    frames: int = 12,
    looks: int = 4,
    size: int = 224,
    hearts: int = 64,
    seed: int = 0,
) -> Source:
    """Tracks beside the landmarks, for PlaceNet: see `Looks`; else as above. Users' frames need all four landmarks."""
    train = _is_train(part)
    if data is not None:
        labelled = LabelledFrames(data, frames, size, augment=train, seed=seed, complete=True)
        return Looks(labelled, looks, seed, augment=train)
    first, count = (seed, VALIDATION_SEED - seed) if train else (VALIDATION_SEED, hearts)
    phantoms = PhantomFrames(count, frames, size, first, context_frames=frames, tissue=False)
    return Looks(phantoms, looks, first, augment=train)


def clips(
    part: str, data: Items = None, frames: int = 32, size: int = 224, hearts: int = 16, seed: int = 0
) -> Source:
    """Runs of frames, for TR-net: see `PhantomClips`, `TrackedPhantomClips`, `ClipWindows`; else as above."""
    train = _is_train(part)
    if data is not None:
        return ClipWindows(data, frames, size, augment=train, seed=seed)
    if train:
        return PhantomClips(VALIDATION_SEED - seed, frames, size, seed)
    return TrackedPhantomClips(hearts, frames, size, VALIDATION_SEED)


def pairs(
    part: str,
    data: Items = None,
    frames: int = 12,
    pairs: int = 4,
    gap: int | None = 4,
    crop: int | None = None,
    size: int = 224,
    hearts: int = 16,
    seed: int = 0,
) -> Source:
    """Pairs of frames out of `clips`, for the flow: see `FramePairs`. Validation sees whole frames."""
    crop = crop if _is_train(part) else None
    return FramePairs(clips(part, data, frames, size, hearts, seed), pairs, gap, crop)


def _is_train(part: str) -> bool:
    if part not in ("train", "validate"):
        raise ValueError(f"part must be train or validate, not {part!r}")
    return part == "train"
