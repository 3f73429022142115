import numpy as np
import pytest

from echo_keypoints.biomarkers import measure
from echo_keypoints.biomarkers.beats import find_beats
from echo_keypoints.biomarkers.smoothing import smooth
from echo_keypoints.evaluation.beats import summary, time_beats
from known_hearts import beating, lengths_at, result_of_lengths


def cavity(times, phase, systole=0.38):
    return lengths_at(phase, systole=systole)[:, 1]


def found(times, values, **options):
    return find_beats(times, values, smooth(times, values), **options).beats


def test_phantoms_of_all_rates_are_timed_within_a_frame():
    figures = summary(time_beats(30))
    assert figures["beats"] > 50
    assert figures["both within 1 frame"] >= 0.96  # 0.98 and more of 200 phantoms: docs/measurements.md
    assert figures["FS mean error (points)"] < 0.4


@pytest.mark.parametrize("rate", [30, 40, 70, 110, 150, 200])
@pytest.mark.parametrize("fps", [25, 60, 200])
def test_regular_hearts(rate, fps):
    times = np.arange(round(4.3 * 60 / rate * fps)) / fps
    systole = min(0.55, (0.42 - 0.0016 * rate) * rate / 60)  # Weissler: it shortens less than the beat
    beats = [b for b in found(times, cavity(times, 0.8 + times * rate / 60, systole)) if b.next_ed]
    assert len(beats) in (3, 4)
    tolerance = max(1.01 / fps, 0.015) * rate / 60
    for beat in beats:
        assert beat.rr_s == pytest.approx(60 / rate, abs=max(0.5 / fps, 0.01))
        ed, es = (0.8 + event.time_s * rate / 60 for event in (beat.ed, beat.es))
        assert abs(ed - round(ed)) <= tolerance and abs(es % 1 - systole) <= tolerance


def test_noise_of_the_tracking_is_borne():
    rng = np.random.default_rng(3)
    times = np.arange(150) / 40
    values = cavity(times, 0.85 + times) + rng.normal(0, 0.7, 150)
    beats = [b for b in found(times, values) if b.next_ed]
    assert len(beats) == 3
    for beat in beats:
        phase = 0.85 + beat.es.time_s
        assert abs(phase % 1 - 0.38) < 0.06


def test_systole_only_is_one_cut_beat():
    times = (
        np.array([0, 20, 60, 80, 120, 140, 180, 200, 240, 260, 300, 320]) / 1000
    )  # uneven, as in stress echo
    result = measure(result_of_lengths(times, lengths_at(times / 0.8)))
    (beat,) = result.beats
    assert (beat["ed_frame"], beat["complete"], beat["rr_ms"]) == (0, False, None)
    assert beat["accepted"] and beat["es_frame"] in (9, 10)
    assert result.measurements["indices"]["FS"]["value"] == pytest.approx(36, abs=0.5)
    assert result.measurements["heart_rate_bpm"] is None


def test_a_clip_that_ends_while_the_cavity_still_shrinks_says_so():
    times = np.arange(8) / 30  # end-systole is at 0.30 s, the last frame at 0.23 s
    result = measure(result_of_lengths(times, lengths_at(times / 0.8)))
    (beat,) = result.beats
    assert (beat["ed_frame"], beat["es_frame"], beat["es_source"]) == (0, 7, "clip_end")
    assert beat["accepted"] and any("still shrinks" in warning for warning in beat["warnings"])
    assert 25 < result.measurements["indices"]["FS"]["value"] < 36
    assert beat["indices"]["ED_ES"] is None
    assert result.quality["grade"] == "poor"
    assert "The clip ends while the cavity still shrinks" in result.quality["reasons"][0]


def test_a_clip_that_ends_early_in_systole_has_no_end_systole():
    times = np.arange(6) / 30
    assert measure(result_of_lengths(times, lengths_at(times / 0.8))).quality["measurable"] is False


def test_what_shrinks_for_too_long_is_not_systole():
    times = np.arange(40) / 50
    assert all(beat.es is None for beat in found(times, 50 - 10 * times))


def test_half_a_beat_of_filling_gives_both_lengths_and_no_rate():
    times = np.arange(40) / 50
    result = measure(result_of_lengths(times, lengths_at(0.3 + times)))
    (beat,) = result.beats
    assert beat["es_frame"] < beat["ed_frame"] and not beat["complete"]
    assert result.measurements["indices"]["FS"]["value"] == pytest.approx(36, abs=0.5)
    assert result.measurements["heart_rate_bpm"] is None
    assert any("beat before" in warning for warning in beat["warnings"])


def test_a_clip_cut_within_systole_has_no_end_diastole_at_its_start():
    times = np.arange(12) / 50
    assert found(times, cavity(times, 0.15 + times)) == ()


def test_two_frames_and_a_still_heart_have_no_beat():
    for count in (1, 2, 30):
        times = np.arange(count) / 30
        assert found(times, np.full(count, 50.0)) == ()


def test_gaps_are_not_measured_in():
    result = beating()
    points = result.points_px.copy()
    points[20:23, 2] = np.nan
    measured = measure(beating(points_px=points))
    for beat in measured.beats:
        assert beat["ed_frame"] not in range(20, 23) and beat["es_frame"] not in range(20, 23)
    assert measured.measurements["curves"]["LVID"][21] is None or np.isnan(
        measured.measurements["curves"]["LVID"][21]
    )


def irregular(lengths_s, fps=60):
    ends = np.cumsum([0.0, *lengths_s])
    times = np.arange(int((ends[-1] + 0.1) * fps)) / fps
    beat = np.clip(np.searchsorted(ends, times, "right") - 1, 0, len(lengths_s) - 1)
    # Systole keeps its length; diastole takes what is left.
    since = times - ends[beat]
    rest = np.asarray(lengths_s)[beat] - 0.3
    phase = np.where(since < 0.3, since / 0.3 * 0.38, 0.38 + (since - 0.3) / rest * 0.62)
    return measure(result_of_lengths(times, lengths_at(phase)))


def test_an_ectopic_beat_is_rejected_with_its_reason():
    result = irregular([0.9, 0.9, 0.6, 0.9, 0.9])
    reasons = [beat["reasons"] for beat in result.beats if beat["rr_ms"]]
    assert [bool(r) for r in reasons] == [False, False, True, False, False]
    assert "off the median" in reasons[2][0]


def test_in_atrial_fibrillation_no_beat_is_rejected_for_its_length():
    result = irregular([0.6, 1.0, 0.75, 1.2, 0.55, 0.9])
    whole = [beat for beat in result.beats if beat["rr_ms"]]
    assert len(whole) == 6 and all(beat["accepted"] for beat in whole)
    assert "irregular" in result.measurements["rhythm_note"]


def test_r_waves_of_the_file_give_end_diastole():
    times = np.arange(160) / 50
    values = cavity(times, 0.9 + times)
    beats = found(times, values, r_waves_s=[0.07, 1.07, 2.07, 9.0])
    assert [b.ed.source for b in beats] == ["ecg_r"] * 3 + ["max_lvid"]  # the file has no R wave for the last
    assert [b.ed.frame for b in beats] == [5, 55, 105, 155]  # the largest cavity within -40 to +80 ms
    late = found(
        times, values, r_waves_s=[0.3, 1.3]
    )  # no largest cavity near: the first frame at or after it
    assert [b.ed.frame for b in late] == [15, 65, 105, 155]  # beats without an R wave: the largest cavity


def test_a_beat_whose_r_wave_is_not_known_keeps_its_end_diastole():
    times = np.arange(160) / 50
    beats = found(times, cavity(times, 0.9 + times), r_waves_s=[0.07, 2.07])
    assert [b.ed.source for b in beats] == ["ecg_r", "max_lvid", "ecg_r", "max_lvid"]
    assert [b.ed.frame for b in beats] == [5, 55, 105, 155]


def test_a_large_cavity_in_mid_diastole_is_no_beat_that_the_ecg_missed():
    # Of a hypertrophic heart: it fills early, and is at its largest two thirds of a beat after the R wave.
    times = np.arange(130) / 60
    phase = times % 1.07 / 1.07
    values = 45 - 14 * np.exp(-(((phase - 0.33) / 0.13) ** 2)) + 2 * np.exp(-(((phase - 0.64) / 0.05) ** 2))
    beats = found(times, values, r_waves_s=[0.0, 1.07])
    assert {b.ed.source for b in beats} == {"ecg_r"}


def test_the_rate_of_the_file_is_compared():
    result = measure(beating(metadata={"heart_rate_bpm": 90.0}))
    (check,) = [check for check in result.quality["checks"] if check["name"] == "heart rate"]
    assert check["level"] == "warn" and "90" in check["text"] and result.measurements["heart_rate_bpm"] == 60
