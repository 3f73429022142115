"""Real files against what is known of them: their tags, their twins in other encodings, on-screen rulers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from echo_keypoints.errors import ClipError
from echo_keypoints.readers import open_clip, read_clip

VECTOR = "FrameTimeVector"


@pytest.mark.parametrize(
    ("name", "shape", "spacing_mm", "region", "source", "end_s"),
    [
        # 308 px are 10 cm on Toshiba's ruler; 63 steps of 33.333 ms.
        ("plax/toshiba_xario_plax.dcm", (64, 600, 800), 100 / 308, (78, 76, 725, 509), "FrameTime", 2.1),
        # The vector alternates 29.4 and 44.1 ms; the box's last column is written as 800.
        ("plax/echocv_philips_plax.dcm", (67, 600, 800), 0.3085, (120, 60, 800, 519), VECTOR, 2.19),
        # PhysicalDeltaX is negative, the first region has no units, the vector starts with 40 or 20.
        ("plax/acuson_stress_plax_1_baseline.dcm", (10, 288, 384), 0.3628, (0, 0, 384, 288), VECTOR, 0.36),
        ("plax/acuson_stress_plax_2_lowdose.dcm", (15, 288, 384), 0.3628, (0, 0, 384, 288), VECTOR, 0.387),
        ("plax/barre_US-MONO2-8-8x-execho_j2k.dcm", (8, 120, 128), None, None, "FrameTime", 0.7),
        # Halved in size after it was calibrated.
        ("other_views/sonosite_a4c_30f.dcm", (30, 240, 320), None, None, "FrameTime", 0.967),
        (
            "other_views/ge_vivid_e95_a3c_colour_jxl.dcm",
            (27, 708, 1016),
            0.2724,
            (149, 70, 868, 659),
            "FrameTime",
            1.233,
        ),
        ("other_views/echotracker_a4c_input.mp4", (45, 768, 1024), None, None, "container", 2.2),
        ("phantom_physics/a.npz", (32, 224, 224), 0.7465, None, "fps", None),
    ],
)
def test_facts(
    shared_data: Path,
    name: str,
    shape: tuple[int, int, int],
    spacing_mm: float | None,
    region: tuple[int, int, int, int] | None,
    source: str,
    end_s: float | None,
) -> None:
    clip = read_clip(shared_data / name)
    header = clip.header
    assert clip.pixels.shape == shape == (header.frame_count, header.height, header.width)
    assert (header.scan_region, header.times_source) == (region, source)
    if spacing_mm is None:
        assert header.spacing_mm is None and "in pixels" in header.warnings[-1]
    else:
        assert header.spacing_mm == pytest.approx((spacing_mm, spacing_mm), rel=3e-3)
    if end_s is not None:
        assert header.frame_times_s[-1] == pytest.approx(end_s, abs=2e-3)


def test_unequal_deltas_of_hp(shared_data: Path) -> None:
    header = open_clip(shared_data / "plax_colour" / "hp_pediatric_plax_colour.dcm").header
    assert header.spacing_mm == pytest.approx((0.2857, 0.2286), abs=1e-4)


def test_one_cine_in_two_encodings_has_the_same_pixels(shared_data: Path) -> None:
    for folder, one, other in (
        ("plax_colour", "barre_US-PAL-8-10x-echo_rle.dcm", "barre_US-PAL-8-10x-echo_jpegls.dcm"),
        ("dicom_us", "cx50_palette_2f.dcm", "cx50_palette_bigendian_2f.dcm"),
        ("dicom_us", "cx50_palette_2f.dcm", "cx50_palette_rle_2f.dcm"),
    ):
        pixels = [read_clip(shared_data / folder / name).pixels for name in (one, other)]
        np.testing.assert_array_equal(*pixels)


def test_colour_is_found_in_all_colour_clips_and_in_no_other(shared_data: Path) -> None:
    coloured = {"toshiba_a4c_tdi.dcm", "ge_vivid_e95_a3c_colour_jxl.dcm"}
    for path in sorted(shared_data.glob("*/*.dcm")):
        if path.parent.name != "dicom_us" and "still" not in path.name:
            expected = path.parent.name == "plax_colour" or path.name in coloured
            assert open_clip(path).header.metadata["colour"] == expected, path.name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("other_views/toshiba_plax_mmode_still.dcm", "M-mode"),
        ("other_views/toshiba_pwtdi_still.dcm", "spectral Doppler"),
        ("dicom_us/iu22_jpegls.dcm", "still"),
        ("plax/annotations.json", "known format"),
    ],
)
def test_refusals(shared_data: Path, name: str, words: str) -> None:
    with pytest.raises(ClipError, match=words):
        open_clip(shared_data / name)
