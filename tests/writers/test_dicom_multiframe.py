import shutil
import subprocess

import numpy as np
import pydicom
import pytest

from echo_keypoints.readers import read_clip
from echo_keypoints.writers.dicom_multiframe import write_dicom

EVEN, UNEVEN = np.arange(6) / 40, np.array([0, 0.02, 0.06, 0.08, 0.12, 0.14])


@pytest.fixture(scope="module")
def video():
    y, x = np.mgrid[:96, :128]
    return np.stack([120 + 60 * (np.sin(x / 9 + t / 3) + np.cos(y / 7)) for t in range(6)]).astype(np.uint8)


@pytest.fixture(params=["jpeg", "rle"])
def compression(request):
    return request.param


@pytest.mark.parametrize("times", [EVEN, UNEVEN], ids=["FrameTime", "FrameTimeVector"])
def test_another_reader_sees_the_same_clip(tmp_path, video, compression, times):
    path = tmp_path / "phantom.dcm"
    write_dicom(video, times, path, spacing_mm=(0.4, 0.3), region=(10, 5, 120, 90), compression=compression)
    dataset = pydicom.dcmread(path)
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.3.1" and dataset.Modality == "US"
    assert str(dataset.PatientName).startswith("PHANTOM") and dataset.PatientID.startswith("PHANTOM")
    assert dataset.NumberOfFrames == 6 and dataset.PhotometricInterpretation == "MONOCHROME2"
    difference = np.abs(dataset.pixel_array.astype(int) - video)
    assert difference.max() <= (0 if compression == "rle" else 6)
    (region,) = dataset.SequenceOfUltrasoundRegions
    assert (region.RegionSpatialFormat, region.RegionDataType) == (1, 1)
    assert (region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection) == (3, 3)
    assert region.PhysicalDeltaX == pytest.approx(0.04) and region.PhysicalDeltaY == pytest.approx(0.03)
    assert (region.RegionLocationMinX0, region.RegionLocationMaxX1) == (10, 119)
    assert (region.RegionLocationMinY0, region.RegionLocationMaxY1) == (5, 89)
    if times is EVEN:
        assert dataset.FrameTime == 25 and dataset.FrameIncrementPointer == 0x00181063
    else:
        assert list(map(float, dataset.FrameTimeVector)) == [0, 20, 40, 20, 40, 20]
        assert dataset.FrameIncrementPointer == 0x00181065


def test_our_reader_sees_the_same_clip(tmp_path, video, compression):
    write_dicom(
        video,
        UNEVEN,
        tmp_path / "a.dcm",
        spacing_mm=(0.4, 0.3),
        region=(10, 5, 120, 90),
        compression=compression,
    )
    clip = read_clip(tmp_path / "a.dcm")
    np.testing.assert_allclose(clip.header.frame_times_s, UNEVEN, atol=1e-9)
    assert clip.header.spacing_mm == pytest.approx((0.4, 0.3)) and clip.header.scan_region == (10, 5, 120, 90)
    assert np.abs(clip.pixels.astype(int) - video).max() <= 6 and not clip.header.warnings


def test_colour_survives(tmp_path, video, compression):
    colour = np.stack([video, video // 2 + 60, 255 - video], axis=-1)
    write_dicom(colour, EVEN, tmp_path / "a.dcm", compression=compression)
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    assert dataset.PhotometricInterpretation == ("RGB" if compression == "rle" else "YBR_FULL_422")
    assert "SequenceOfUltrasoundRegions" not in dataset
    from pydicom.pixel_data_handlers.util import convert_color_space

    rgb = dataset.pixel_array
    if pydicom.__version__ < "3" and compression == "jpeg":
        rgb = convert_color_space(rgb, "YBR_FULL", "RGB", per_frame=True)
    assert np.abs(rgb.astype(int) - colour).mean() < 4


def test_the_same_arguments_give_the_same_file(tmp_path, video, compression):
    for name in ("a.dcm", "b.dcm"):
        write_dicom(video, EVEN, tmp_path / name, compression=compression)
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()
    write_dicom(video[::-1], EVEN, tmp_path / "c.dcm", compression=compression)
    uids = {pydicom.dcmread(tmp_path / name).SOPInstanceUID for name in ("a.dcm", "c.dcm")}
    assert len(uids) == 2


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("times", [EVEN, UNEVEN], ids=["FrameTime", "FrameTimeVector"])
@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
def test_the_file_is_valid(tmp_path, video, compression, times, colour):
    pixels = np.repeat(video[..., None], 3, axis=-1) if colour else video
    write_dicom(
        pixels,
        times,
        tmp_path / "a.dcm",
        spacing_mm=(0.4, 0.4),
        compression=compression,
        description="x" * 80,
    )
    report = subprocess.run(["dciodvfy", "-new", tmp_path / "a.dcm"], capture_output=True, text=True).stderr
    assert report.split() == ["USMultiFrameImage"], report


@pytest.mark.parametrize(
    "changes",
    [
        {"video": np.zeros((6, 8, 8))},
        {"video": np.zeros((6, 8, 8, 4), np.uint8)},
        {"times_s": EVEN[:3]},
        {"times_s": EVEN[::-1]},
        {"compression": "zip"},
    ],
)
def test_arguments_must_fit(tmp_path, video, changes):
    arguments = {"video": video, "times_s": EVEN} | changes
    with pytest.raises(ValueError):
        write_dicom(path=tmp_path / "a.dcm", **arguments)
    assert not list(tmp_path.iterdir())
