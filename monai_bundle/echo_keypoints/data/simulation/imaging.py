"""From tissue to a grey image: beams, speckle, shadows, noise, log compression, scan conversion.

The picture is formed where a scanner forms it, on a polar grid (range × beam): tissue is looked up through the motion
map, smeared by a point-spread function of constant width in range and in angle, detected and compressed. Speckle thus
moves with the tissue, is finer near the probe than far from it, and decorrelates when tissue leaves the image plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_keypoints.data.simulation.tissue import log_uniform, smooth_noise

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Scanner:
    """Settings of one acquisition.

    Attributes:
        depth_mm, sector_rad: reach and opening of the sector.
        window_mm: (x, z, width, height) of the part of the plane that is shown; the probe is at (0, 0).
        samples, beams: size of the polar grid.
        axial_sigma, lateral_sigma: point-spread function in polar samples.
        decorrelation: how far the plane slips through the tissue in a beat, in units of the speckle's memory (rad).
        compounding: share of a second, independent look in the detected power; 0.5 makes speckle smoothest.
        dynamic_range_db, gamma, top_percentile: grey map.
        noise, clutter: electronic noise; near-field clutter.
        persistence: share of the previous frame in the displayed one.
        sharpen, soften: edge enhancement (amount), smoothing (px).
        background: grey level outside the sector.
    """

    depth_mm: float
    sector_rad: float
    window_mm: tuple[float, float, float, float]
    samples: int
    beams: int
    axial_sigma: float
    lateral_sigma: float
    decorrelation: float
    compounding: float
    dynamic_range_db: float
    gamma: float
    top_percentile: float
    noise: float
    clutter: float
    persistence: float
    sharpen: float
    soften: float
    background: int

    @property
    def bloom_mm(self) -> float:
        """How far out in range a smeared border seems to lie.

        The power of a smeared border falls as ``erfc(d / sigma) / 2``; it is 10 dB down, half of a usual contrast
        of wall and blood on the screen, at 0.9 sigma.
        """
        return 0.9 * self.axial_sigma * self.depth_mm / self.samples

    def polar_to_plane(self, step: int = 1) -> tuple[FloatArray, FloatArray]:
        """Places (x, z) in mm of the polar grid, thinned by `step`: two ``(samples/step, beams/step)`` arrays."""
        r = (np.arange(0, self.samples, step) + (step - 1) / 2) / self.samples * self.depth_mm
        angle = ((np.arange(0, self.beams, step) + (step - 1) / 2 + 0.5) / self.beams - 0.5) * self.sector_rad
        return np.outer(r, np.sin(angle)).astype(np.float32), np.outer(r, np.cos(angle)).astype(np.float32)

    def plane_to_polar(self, x: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Places in mm → (beam, sample) indices of the polar grid."""
        beam = (np.arctan2(x, z) / self.sector_rad + 0.5) * self.beams - 0.5
        return beam.astype(np.float32), (np.hypot(x, z) / self.depth_mm * self.samples).astype(np.float32)


class Screen:
    """The square picture that shows `Scanner.window_mm`, letter-boxed to `size` pixels."""

    def __init__(self, scanner: Scanner, size: int) -> None:
        x0, z0, width, height = scanner.window_mm
        self.size = size
        self.mm_per_px = max(width, height) / size
        self._origin = (
            x0 + width / 2 - self.mm_per_px * (size - 1) / 2,
            z0 + height / 2 - self.mm_per_px * (size - 1) / 2,
        )
        columns = self._origin[0] + self.mm_per_px * np.arange(size, dtype=np.float32)
        rows = self._origin[1] + self.mm_per_px * np.arange(size, dtype=np.float32)
        self.x_mm, self.z_mm = np.meshgrid(columns, rows)
        self._beam, self._sample = scanner.plane_to_polar(self.x_mm, self.z_mm)
        self.inside = (
            (np.abs(np.arctan2(self.x_mm, self.z_mm)) < scanner.sector_rad / 2)
            & (np.hypot(self.x_mm, self.z_mm) < scanner.depth_mm * 0.995)
            & (np.abs(self.x_mm - x0 - width / 2) <= width / 2)
            & (np.abs(self.z_mm - z0 - height / 2) <= height / 2)
        )

    def scan_convert(self, polar: FloatArray) -> FloatArray:
        """``(samples, beams)`` → ``(size, size)``."""
        return cv2.remap(polar, self._beam, self._sample, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def to_pixels(self, xz_mm: NDArray[np.floating]) -> NDArray[np.floating]:
        """``(..., 2)`` mm in the image plane → ``(..., 2)`` pixels."""
        return (np.asarray(xz_mm) - self._origin) / self.mm_per_px


class BeamFormer:
    """Everything of an acquisition that stays the same from frame to frame, and the step that forms one frame."""

    def __init__(self, scanner: Scanner, rng: np.random.Generator) -> None:
        self.scanner = scanner
        shape = (scanner.samples, scanner.beams)
        r = np.linspace(0, 1, scanner.samples, dtype=np.float32)[:, None]
        beam = np.linspace(-0.5, 0.5, scanner.beams, dtype=np.float32)[None]
        gain_db = smooth_noise(rng, shape, scanner.samples / 4) * rng.uniform(0, 6)
        gain_db += (r - 0.5) * rng.uniform(-14, 10)
        for _ in range(rng.integers(0, 3)):  # steps of the time-gain sliders
            gain_db += rng.uniform(-3, 3) * (r > rng.uniform(0.1, 0.9))
        self.gain_db = gain_db
        shadow = np.ones(shape, np.float32)
        for _ in range(rng.integers(0, 4)):  # ribs, lung, calcium
            profile = np.exp(-(((beam - rng.uniform(-0.5, 0.5)) / rng.uniform(0.015, 0.1)) ** 2))
            shadow *= 1 - rng.uniform(0.2, 0.97) * profile * (r > rng.uniform(0.0, 0.7))
        self.shadow = shadow
        reach = rng.uniform(0.03, 0.2)
        self.clutter = scanner.clutter * np.exp(-r / reach) * (0.4 + np.abs(smooth_noise(rng, shape, 5)))
        if rng.random() < 0.4:  # reverberation: stripes at multiples of a depth
            period = rng.uniform(0.02, 0.09)
            self.clutter *= 1 + 0.8 * np.sin(2 * np.pi * r / period)
        if rng.random() < 0.3:  # static haze over the cavity
            self.clutter = self.clutter + log_uniform(rng, 0.004, 0.05) * np.abs(smooth_noise(rng, shape, 9))

    def envelope(self, field: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Complex echoes of two looks ``(samples, beams, 4)`` → detected amplitude ``(samples, beams)``."""
        s = self.scanner
        field = cv2.GaussianBlur(field, (0, 0), sigmaX=s.lateral_sigma, sigmaY=s.axial_sigma)
        weights = np.array([1 - s.compounding, 1 - s.compounding, s.compounding, s.compounding], np.float32)
        # Blurring white noise by (σx, σy) divides its power by about 4π σx σy: undo it.
        power = (field * field) @ (weights * np.float32(4 * np.pi * s.lateral_sigma * s.axial_sigma))
        envelope = np.sqrt(power)
        noise = rng.standard_normal((s.samples // 2, s.beams // 2), dtype=np.float32)
        noise = cv2.resize(noise, (s.beams, s.samples), interpolation=cv2.INTER_LINEAR)
        return (envelope + self.clutter) * self.shadow + s.noise * np.abs(noise)

    def decibels(self, envelope: FloatArray) -> FloatArray:
        """Log compression with the depth gain, before the grey map."""
        return 20 * np.log10(envelope + np.float32(1e-4)) + self.gain_db


def sample_scanner(rng: np.random.Generator, style: str) -> dict[str, float | int]:
    """Draw all settings but depth, sector and window, which depend on where the heart lies."""
    uniform = rng.uniform
    wild = style == "randomised"
    return {
        "samples": int(uniform(260, 420)),
        "beams": int(uniform(90, 190)),
        "axial_sigma": uniform(0.8, 2.2),
        "lateral_sigma": uniform(0.8, 2.2),
        "decorrelation": uniform(0.2, 2.2),
        "compounding": uniform(0.1, 0.5) if rng.random() < 0.6 else 0.0,
        "dynamic_range_db": uniform(22, 70) if wild else uniform(32, 60),
        "gamma": uniform(0.55, 1.8) if wild else uniform(0.75, 1.4),
        "top_percentile": uniform(96, 99.9),
        "noise": log_uniform(rng, 0.002, 0.06),
        "clutter": uniform(0, 1.6),
        "persistence": uniform(0, 0.6) if rng.random() < 0.5 else 0.0,
        "sharpen": uniform(0, 1.2) if rng.random() < 0.3 else 0.0,
        "soften": uniform(0.4, 1.3) if rng.random() < 0.4 else 0.0,
        "background": int(uniform(5, 50)) if rng.random() < 0.12 else 0,
    }
