"""Test sets of a user's own: EchoNet-LVH, and folders of clips whose landmarks are known on some or all frames."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from echo_keypoints.biomarkers.lengths import measure_lengths
from echo_keypoints.data.echonet_lvh import TABLE, read_echonet_lvh
from echo_keypoints.data.folders import find_clips
from echo_keypoints.data.marks import Marks, read_marks
from echo_keypoints.errors import ClipError
from echo_keypoints.evaluation.cases import Case
from echo_keypoints.readers import read_clip


def echonet_lvh_cases(
    folder: Path, split: str = "test", split_file: Path | None = None
) -> list[partial[Case]]:
    """Loaders of the videos of one split of EchoNet-LVH, of which two frames each have landmarks.

    Raises:
        LabelError: the table is missing or of another form.
    """
    return [
        partial(
            marked_case,
            video.path,
            Marks(video.frames, (10 * video.cm_per_px,) * 2, video.end_diastole, video.end_systole),
        )
        for video in read_echonet_lvh(folder, split_file).of(split)
    ]


def labelled_cases(folder: Path) -> list[partial[Case]]:
    """Loaders of the clips of a folder that have landmarks beside them (`data.marks`); none without such clips.

    Raises:
        LabelError: a file of landmarks is damaged.
    """
    items = [item for item in find_clips(str(folder)) if item.get("label")]
    return [partial(marked_case, Path(item["image"]), read_marks(Path(item["label"]))) for item in items]


def is_echonet_lvh(folder: Path) -> bool:
    """Tell whether a folder is a copy of EchoNet-LVH."""
    return (folder / TABLE).is_file()


def marked_case(path: Path, marks: Marks) -> Case:
    """Read a clip and put its truth beside it; frames of which a landmark is missing do not count.

    Where nobody says which frames are end-diastole and end-systole, those with the longest and the shortest LVID are.

    Raises:
        ClipError: the clip cannot be read, or no frame has all four landmarks.
    """
    clip = read_clip(path)
    frames = [frame for frame in marks.complete() if frame < clip.header.frame_count]
    if not frames:
        raise ClipError(f"{path.name} has no frame with all four landmarks.")
    if marks.spacing_mm is not None:
        clip = replace(
            clip, header=replace(clip.header, spacing_mm=marks.spacing_mm, spacing_source="annotation")
        )
    truth = np.stack([marks.frames[frame] for frame in frames])
    lvid = measure_lengths(truth)["LVID"].px
    diastole = marks.ed_frame if marks.ed_frame in frames else frames[int(lvid.argmax())]
    systole = marks.es_frame if marks.es_frame in frames else frames[int(lvid.argmin())]
    return Case(path.stem, clip, np.array(frames), truth, diastole, systole)
