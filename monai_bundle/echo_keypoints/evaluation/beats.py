"""How well beats and shortening are found where tracks are true: phantoms of known rate, motion and frame rate.

``python -m echo_keypoints.evaluation.beats`` prints the table of docs/measurements.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.biomarkers.beats import Beat, find_beats
from echo_keypoints.biomarkers.formulas import fractional_shortening
from echo_keypoints.biomarkers.lengths import measure_lengths
from echo_keypoints.biomarkers.smoothing import smooth
from echo_keypoints.data.simulation.phantom import Phantom

RATES_BPM = (40.0, 150.0)
FRAME_RATES_HZ = (25, 30, 40, 50, 60, 80, 100)

_SEED = 9000
_BEATS = 3.3
_DENSE_S = 0.004
_EDGE = 0.15  # of a beat: an end-diastole nearer to the clip's end cannot be told from the cut
_TOLERANCE_S = 0.020  # of an end-diastole without atrial contraction, whose plateau has no largest frame


@dataclass(frozen=True)
class TimedBeat:
    """One beat of a phantom: how far off its events are, in frames, and its shortening, in points.

    Attributes:
        found: whether there is a whole beat at all.
        ed_frames, es_frames: distance from the true moment; NaN where it was not found.
        shortening: error of the fractional shortening in points, against the true extremes of this clip's frames.
        sampling: what the frames themselves miss of the true shortening, in points; no method can gain it back.
    """

    found: bool
    ed_frames: float = float("nan")
    es_frames: float = float("nan")
    shortening: float = float("nan")
    sampling: float = float("nan")


def time_beats(count: int, seed: int = _SEED) -> list[TimedBeat]:
    """Compare found with true beats in phantoms of all pathologies, 40 to 150 beats and 25 to 100 frames a time.

    The true end-diastole is the largest, the true end-systole the smallest cavity of the beat, sampled every
    4 ms. Without atrial contraction the cavity stays at its largest for a third of a second: there, it is the
    onset of contraction (from the earlier to the later wall, ± 20 ms).

    Args:
        count: number of phantoms.
        seed: of the first one, and of the rates.
    """
    rng = np.random.default_rng(seed)
    beats: list[TimedBeat] = []
    for number in range(count):
        phantom = _paced(Phantom(seed + number), float(rng.uniform(*RATES_BPM)), rng)
        beats += _of_phantom(phantom, float(rng.choice(FRAME_RATES_HZ)))
    return beats


def summary(beats: Iterable[TimedBeat]) -> dict[str, float]:
    """Count: beats, share found with ED, ES and both within one frame, and errors of the shortening."""
    beats = list(beats)
    ed, es = (np.array([getattr(b, name) for b in beats]) for name in ("ed_frames", "es_frames"))
    shortening, sampling = (
        np.array([value for b in beats if np.isfinite(value := getattr(b, name))])
        for name in ("shortening", "sampling")
    )
    near = 1 + 1e-6
    return {
        "beats": len(beats),
        "found": float(np.mean([b.found for b in beats])),
        "ED within 1 frame": float((ed <= near).mean()),
        "ES within 1 frame": float((es <= near).mean()),
        "both within 1 frame": float(((ed <= near) & (es <= near)).mean()),
        "FS mean error (points)": float(shortening.mean()),
        "FS within 1 point": float((shortening <= 1).mean()),
        "FS largest error (points)": float(shortening.max()),
        "FS lost between frames (points)": float(sampling.mean()),
    }


def _paced(phantom: Phantom, rate_bpm: float, rng: np.random.Generator) -> Phantom:
    """Give the phantom another heart rate, with the length of systole that goes with it (as `sample_cycle`)."""
    period = 60 / rate_bpm
    ejection = 0.42 - 0.0016 * rate_bpm + rng.uniform(-0.03, 0.03)
    cycle = replace(
        phantom.heart.cycle, period_s=period, systole=float(np.clip(ejection / period, 0.25, 0.55))
    )
    phantom.heart = replace(phantom.heart, cycle=cycle)
    return phantom


def _cavity(phantom: Phantom, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    points = np.stack([phantom.screen.to_pixels(phantom.points_mm(float(t))) for t in times_s])
    lengths = measure_lengths(points, (phantom.mm_per_px, phantom.mm_per_px))["LVID"].mm
    assert lengths is not None
    return lengths


def _of_phantom(phantom: Phantom, fps: float) -> list[TimedBeat]:
    cycle = phantom.heart.cycle
    period = cycle.period_s
    times = np.arange(int(np.ceil(_BEATS * period * fps))) / fps
    cavity = _cavity(phantom, times)
    found = [b for b in find_beats(times, cavity, smooth(times, cavity)).beats if b.next_ed]
    onsets = (np.arange(1, 6) - cycle.offset) * period
    onsets = onsets[(onsets >= _EDGE * period) & (onsets <= times[-1] - _EDGE * period)]
    return [_compare(phantom, onset, times, cavity, found) for onset in onsets[:-1]]


def _compare(
    phantom: Phantom,
    onset: float,
    times: NDArray[np.float64],
    cavity: NDArray[np.float64],
    found: list[Beat],
) -> TimedBeat:
    heart, period, frame = phantom.heart, phantom.heart.cycle.period_s, float(times[1])
    beat = next((b for b in found if abs(b.ed.time_s - onset) < 0.3 * period), None)
    if beat is None:
        return TimedBeat(False)
    around = onset + np.arange(-0.12 * period, 0.75 * period, _DENSE_S)
    dense = _cavity(phantom, around)
    early, late = around <= onset + 0.12 * period, around >= onset + 0.1 * period
    ed, es = around[early][np.argmax(dense[early])], around[late][np.argmin(dense[late])]
    off = abs(times[beat.ed.frame] - ed) / frame
    if heart.cycle.atrial_share == 0:
        latest = max(0.01, heart.septal_delay, heart.posterior_delay) * period
        lag = times[beat.ed.frame] - onset
        off = max(0.0, -_TOLERANCE_S - lag, lag - latest - _TOLERANCE_S) / frame
    if beat.es is None:
        return TimedBeat(True, off)
    truth = fractional_shortening(float(dense[early].max()), float(dense[late].min()))
    inside = (times >= around[0]) & (times <= around[-1])
    before = inside & (times <= onset + 0.12 * period)
    best = fractional_shortening(float(cavity[before].max()), float(cavity[inside & ~before].min()))
    measured = fractional_shortening(float(cavity[beat.ed.frame]), float(cavity[beat.es.frame]))
    return TimedBeat(
        True, off, abs(times[beat.es.frame] - es) / frame, abs(measured - best), abs(best - truth)
    )


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--phantoms", type=int, default=200, metavar="N")
    for name, value in summary(time_beats(parser.parse_args(arguments).phantoms)).items():
        print(f"{name:32} {value:.3f}" if name != "beats" else f"{name:32} {value:d}")


if __name__ == "__main__":
    main()
