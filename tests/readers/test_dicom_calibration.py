"""Scale and region against hand-computed values."""

import pytest
from clip_files import region
from pydicom.dataset import Dataset

from echo_keypoints.readers.dicom_calibration import dicom_scale


def header(*regions: Dataset, rows: int = 48, columns: int = 64) -> Dataset:
    data = Dataset()
    data.Rows, data.Columns = rows, columns
    if regions:
        data.SequenceOfUltrasoundRegions = list(regions)
    return data


def test_box_is_half_open_and_scale_in_millimetres() -> None:
    scale = dicom_scale(header(region()))
    assert scale.spacing_mm == pytest.approx((0.5, 0.5))
    assert scale.region == (4, 2, 60, 42)
    assert scale.warnings == ()


def test_negative_and_anisotropic_deltas() -> None:
    scale = dicom_scale(header(region(PhysicalDeltaX=-0.0286, PhysicalDeltaY=0.0229)))
    assert scale.spacing_mm == pytest.approx((0.286, 0.229))


def test_regions_of_ecg_m_mode_and_without_units_are_skipped() -> None:
    unitless = region(RegionSpatialFormat=0, RegionDataType=0, PhysicalUnitsXDirection=0, PhysicalDeltaX=1.0)
    ecg = region(RegionSpatialFormat=4, RegionDataType=10, PhysicalUnitsXDirection=4, PhysicalDeltaX=0.0067)
    m_mode = region(RegionSpatialFormat=2, PhysicalUnitsXDirection=4)
    scale = dicom_scale(header(unitless, ecg, m_mode, region()))
    assert scale.spacing_mm == pytest.approx((0.5, 0.5))
    assert "region 4 of 4" in scale.source
    assert dicom_scale(header(unitless, ecg, m_mode)).spacing_mm is None


def test_tissue_goes_before_colour_and_large_before_small() -> None:
    colour = region(RegionDataType=2, PhysicalDeltaX=0.04, RegionLocationMaxX1=63)
    assert dicom_scale(header(colour, region())).spacing_mm == pytest.approx((0.5, 0.5))
    assert dicom_scale(header(colour)).spacing_mm == pytest.approx((0.4, 0.5))
    small = region(RegionLocationMaxX1=20, PhysicalDeltaX=0.03, PhysicalDeltaY=0.03)
    scale = dicom_scale(header(small, region()))
    assert scale.spacing_mm == pytest.approx((0.5, 0.5))
    assert "2 calibrated" in scale.warnings[0]


@pytest.mark.parametrize("changes", [{"RegionLocationMaxX1": 127}, {"RegionLocationMaxY1": 95}])
def test_region_beyond_the_image_means_no_scale(changes: dict) -> None:
    scale = dicom_scale(header(region(**changes)))
    assert (scale.spacing_mm, scale.region) == (None, None)
    assert "resized" in scale.warnings[0] and "pixels" in scale.warnings[0]


def test_another_region_beyond_the_image_means_no_scale_either() -> None:
    ecg = region(RegionSpatialFormat=4, RegionDataType=10, RegionLocationMaxX1=300)
    assert dicom_scale(header(region(), ecg)).spacing_mm is None


def test_philips_ends_its_boxes_one_pixel_late() -> None:
    scale = dicom_scale(header(region(RegionLocationMaxX1=64)))
    assert scale.region == (4, 2, 64, 42)
    assert scale.spacing_mm is not None


@pytest.mark.parametrize("delta", [0.0, 0.0001, 1.0, float("nan")])
def test_impossible_scales_are_not_used(delta: float) -> None:
    assert dicom_scale(header(region(PhysicalDeltaX=delta))).spacing_mm is None


def test_pixel_spacing_is_never_used() -> None:
    data = header()
    data.PixelSpacing = [0.3, 0.3]
    assert dicom_scale(data).spacing_mm is None


def test_malformed_box_is_skipped() -> None:
    broken = region()
    del broken.RegionLocationMaxX1
    assert dicom_scale(header(broken)).spacing_mm is None
    assert dicom_scale(header(region(RegionLocationMinX0=59, RegionLocationMaxX1=4))).spacing_mm is None


@pytest.mark.parametrize("name", ["PhysicalDeltaX", "PhysicalDeltaY"])
def test_a_region_without_a_delta_is_skipped(name: str) -> None:
    for broken in (region(), region(**{name: None})):
        if broken.get(name) is not None:
            delattr(broken, name)
        assert dicom_scale(header(broken)).spacing_mm is None
        assert dicom_scale(header(broken, region())).spacing_mm is not None
