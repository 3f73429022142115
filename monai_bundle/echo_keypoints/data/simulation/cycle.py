"""The cardiac cycle in time: how far each wall has contracted, and which valve is open.

All curves are functions of the beat's phase in [0, 1), 0 being end-diastole (mitral closure).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class Cycle:
    """Timing of one heart.

    Attributes:
        period_s: length of a beat.
        systole: fraction of the beat from end-diastole to end-systole.
        rapid_filling: fraction of diastole that the early filling takes.
        atrial_start: fraction of diastole at which the atrial contraction starts.
        atrial_share: part of the relaxation that the atrial contraction brings (0 in atrial fibrillation).
        offset: phase at time 0.
    """

    period_s: float
    systole: float
    rapid_filling: float
    atrial_start: float
    atrial_share: float
    offset: float

    def phase(self, times_s: FloatArray) -> FloatArray:
        """``(T,)`` seconds → ``(T,)`` phase in [0, 1)."""
        return np.mod(np.asarray(times_s) / self.period_s + self.offset, 1.0)

    def contraction(self, phase: FloatArray, delay: float = 0.0) -> FloatArray:
        """0 at end-diastole, 1 at end-systole; `delay` (in phase) makes a wall late."""
        p = np.mod(np.asarray(phase, float) - delay, 1.0)
        systole = _smooth(p / self.systole)
        d = (p - self.systole) / (1 - self.systole)
        early = _smooth(d / self.rapid_filling)
        late = _smooth((d - self.atrial_start) / (1 - self.atrial_start))
        diastole = 1 - (1 - self.atrial_share) * early - self.atrial_share * late
        return np.where(p < self.systole, systole, diastole)

    @property
    def e_wave(self) -> float:
        """Fraction of diastole at which early filling peaks and the mitral valve is wide open."""
        return 0.6 * self.rapid_filling

    def mitral_opening(self, phase: FloatArray) -> FloatArray:
        """0 closed … 1 wide open: an E wave, a half-open diastasis, an A wave."""
        p = np.asarray(phase, float)
        d = np.clip((p - self.systole) / (1 - self.systole), 0, 1)
        e_wave = np.exp(-(((d - self.e_wave) / (0.45 * self.rapid_filling)) ** 2))
        middle = 0.5 * (self.atrial_start + 1)
        a_wave = np.exp(-(((d - middle) / (0.35 * (1 - self.atrial_start))) ** 2)) * (self.atrial_share > 0)
        resting = 0.3 * _smooth(d / 0.15) * _smooth((1 - d) / 0.1)
        return np.where(p < self.systole, 0.0, np.maximum(np.maximum(e_wave, 0.7 * a_wave), resting))

    def aortic_opening(self, phase: FloatArray) -> FloatArray:
        """0 closed … 1 open, from the end of isovolumic contraction to shortly before end-systole."""
        p = np.asarray(phase, float)
        return _smooth((p - 0.12 * self.systole) / (0.1 * self.systole)) * _smooth(
            (0.95 * self.systole - p) / (0.1 * self.systole)
        )


def sample_cycle(rng: np.random.Generator) -> Cycle:
    """Draw a heart rate and the systolic fraction that goes with it (Weissler: systole shortens less than the beat)."""
    rate = rng.uniform(45, 130)
    period = 60.0 / rate
    ejection_s = 0.42 - 0.0016 * rate + rng.uniform(-0.03, 0.03)
    return Cycle(
        period_s=period,
        systole=float(np.clip(ejection_s / period, 0.25, 0.55)),
        rapid_filling=float(rng.uniform(0.25, 0.5)),
        atrial_start=float(rng.uniform(0.62, 0.8)),
        atrial_share=0.0 if rng.random() < 0.1 else float(rng.uniform(0.1, 0.35)),
        offset=float(rng.uniform(0, 1)),
    )


def _smooth(x: FloatArray) -> FloatArray:
    """Smooth step from 0 (x <= 0) to 1 (x >= 1) with zero slope at both ends."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
