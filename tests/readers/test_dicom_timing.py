"""Times against hand-computed values, element by element."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from echo_keypoints.readers.dicom_timing import dicom_timing, r_wave_times_s

VECTOR, TIME = 0x00181065, 0x00181063


def header(**elements: object) -> Dataset:
    data = Dataset()
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    return data


def test_vector_starts_at_zero_and_alternates() -> None:
    timing = dicom_timing(header(FrameIncrementPointer=VECTOR, FrameTimeVector=[0, 29.4, 44.1, 29.4]), 4)
    np.testing.assert_allclose(timing.times_s, [0, 0.0294, 0.0735, 0.1029])
    assert (timing.source, timing.known, timing.warnings) == ("FrameTimeVector", True, ())


def test_first_entry_of_a_vector_is_ignored_when_it_is_not_zero() -> None:
    timing = dicom_timing(header(FrameTimeVector=[20, 40, 20, 20]), 4)
    np.testing.assert_allclose(timing.times_s, [0, 0.04, 0.06, 0.08])


def test_vector_without_the_leading_zero() -> None:
    timing = dicom_timing(header(FrameTimeVector=[40, 20, 20]), 4)
    np.testing.assert_allclose(timing.times_s, [0, 0.04, 0.06, 0.08])


def test_pointer_decides_between_vector_and_frame_time() -> None:
    elements = {"FrameTimeVector": [0, 40, 40], "FrameTime": 40}
    assert dicom_timing(header(FrameIncrementPointer=TIME, **elements), 3).source == "FrameTime"
    assert dicom_timing(header(FrameIncrementPointer=VECTOR, **elements), 3).source == "FrameTimeVector"
    assert dicom_timing(header(**elements), 3).source == "FrameTimeVector"


@pytest.mark.parametrize(
    ("elements", "source", "step"),
    [
        ({"FrameTime": 33.333, "CineRate": 30, "RecommendedDisplayFrameRate": 30}, "FrameTime", 0.033333),
        ({"FrameTime": 0, "CineRate": 50}, "CineRate", 0.02),
        ({"CineRate": 0, "ActualFrameDuration": 25}, "ActualFrameDuration", 0.025),
        ({"RecommendedDisplayFrameRate": 25}, "RecommendedDisplayFrameRate", 0.04),
        ({"FrameTimeVector": [0, 40], "FrameTime": 40}, "FrameTime", 0.04),
        ({"FrameTimeVector": [0, 40, 0], "CineRate": 25}, "CineRate", 0.04),
        ({"FrameTimeVector": [0, -40, 80], "CineRate": 25}, "CineRate", 0.04),
    ],
)
def test_next_element_where_one_is_unusable(elements: dict, source: str, step: float) -> None:
    timing = dicom_timing(header(**elements), 3)
    assert timing.source == source
    np.testing.assert_allclose(timing.times_s, [0, step, 2 * step])


def test_display_rate_alone_is_warned_of() -> None:
    assert "display rate" in dicom_timing(header(RecommendedDisplayFrameRate=25), 3).warnings[0]


@pytest.mark.parametrize(
    "elements", [{}, {"FrameTime": 0, "CineRate": 0}, {"FrameTime": 0.1}, {"FrameTime": 5000}]
)
def test_unknown_times_are_assumed_with_a_warning(elements: dict) -> None:
    timing = dicom_timing(header(**elements), 3)
    assert not timing.known
    assert timing.source == "unknown, 30 fps assumed"
    assert "heart rate" in timing.warnings[-1]
    np.testing.assert_allclose(timing.times_s, [0, 1 / 30, 2 / 30])


def test_implausible_frame_time_is_named() -> None:
    assert dicom_timing(header(FrameTime=0.1), 3).warnings[0].startswith("FrameTime was passed over")


def test_disagreement_beyond_five_per_cent_is_named() -> None:
    assert dicom_timing(header(FrameTime=33.3, CineRate=31), 9).warnings == ()
    (warning,) = dicom_timing(header(FrameTime=33.333, CineRate=74), 9).warnings
    assert "CineRate says 74.0" in warning and "30.0" in warning


def test_effective_duration_may_count_the_last_frame_or_not() -> None:
    for duration in (2.0, 1.96):
        assert dicom_timing(header(FrameTime=40, EffectiveDuration=duration), 50).warnings == ()
    assert "EffectiveDuration" in dicom_timing(header(FrameTime=40, EffectiveDuration=4), 50).warnings[0]


def test_sweep_playback_keeps_the_order_and_says_so() -> None:
    timing = dicom_timing(header(FrameTime=40, PreferredPlaybackSequencing=1), 3)
    assert "forwards and backwards" in timing.warnings[0]


def test_r_waves_in_seconds() -> None:
    assert r_wave_times_s(header(RWaveTimeVector=[48.0, 1130.0])) == [0.048, 1.13]
    assert r_wave_times_s(header()) == []
