"""The PLAX phantom: one seed → one heart, one scanner, and a clip with exact tracks at any times asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_keypoints.anatomy import TISSUES
from echo_keypoints.data.simulation.heart import ring_frame, sample_heart
from echo_keypoints.data.simulation.imaging import BeamFormer, Scanner, Screen, sample_scanner
from echo_keypoints.data.simulation.measuring_line import material_places
from echo_keypoints.data.simulation.overlays import draw_overlays
from echo_keypoints.data.simulation.tissue import GRID_MM, U_RANGE, V_RANGE, Tissue, log_uniform, paint

FloatArray = NDArray[np.floating]

STYLES = ("acoustic", "randomised")
DIM_WALL = 0.1
"""Half of either wall's muscle near the landmarks is at least so bright, of white. The septa of nine real clips have
0.23 to 0.49 of their brightest (docs/real_hearts.md)."""

_NEAR_MM = 15.0
_COARSE = 4  # the motion is smooth: it is evaluated on every fourth polar sample and interpolated


@dataclass(frozen=True)
class SimulatedClip:
    """A clip and the truth about it.

    Attributes:
        video: ``(T, S, S)`` uint8.
        points: ``(T, 4, 2)`` float64 pixels (x, y), centres at integers, order of `anatomy.LANDMARKS`.
        valves: ``(T, 3, 2)`` likewise, but maybe outside the picture: the mitral valve's two hinges (at the curtain, at
            the posterior wall) and the tip of its anterior leaflet.
        mm_per_px: scale, the same along x and y.
        times_s: ``(T,)`` seconds.
        fps: frames per second, or None where the times were given one by one.
        phase: ``(T,)`` 0 at end-diastole … 1 at end-systole (mean contraction of the two walls).
        beat_phase: ``(T,)`` position in the beat, [0, 1), 0 at end-diastole.
        tissue: ``(T, S/2, S/2)`` uint8 labels (`anatomy.TISSUES`), or None.
        pathology, style, seed: how it was made.
    """

    video: NDArray[np.uint8]
    points: FloatArray
    valves: FloatArray
    mm_per_px: float
    times_s: FloatArray
    fps: float | None
    phase: FloatArray
    beat_phase: FloatArray
    tissue: NDArray[np.uint8] | None
    pathology: str
    style: str
    seed: int


class Phantom:
    """One simulated patient under one probe.

    Args:
        seed: everything follows from it.
        style: ``"acoustic"`` or ``"randomised"`` (see `tissue.paint`); None draws one.
        pathology: one of `heart.PATHOLOGIES`; None draws one.
        size: side of the square picture in px.

    Raises:
        ValueError: for an unknown style or pathology.
    """

    def __init__(
        self, seed: int, *, style: str | None = None, pathology: str | None = None, size: int = 224
    ) -> None:
        rng = np.random.default_rng(seed)
        self.seed = seed
        self.style = style or str(rng.choice(STYLES))
        if self.style not in STYLES:
            raise ValueError(f"unknown style {style!r}; choose one of {', '.join(STYLES)}")
        self.heart = sample_heart(rng, pathology)
        self._place(rng)
        self._warp = _sample_warp(rng)
        scanner = self._aim(rng)
        self.screen = Screen(scanner, size)
        self.mm_per_px = self.screen.mm_per_px
        self._beamformer = BeamFormer(scanner, rng)
        self._tissue = self._painted(rng)
        self._leaflet = {
            "echo": log_uniform(rng, 0.25, 2.5), "width": rng.uniform(1.2, 3.2),
            "cusp_echo": log_uniform(rng, 0.05, 0.8) * (rng.random() < 0.8),
        }  # fmt: skip
        self._overlay = draw_overlays(size, self.screen.inside, rng)
        self._jpeg_quality = int(rng.uniform(25, 92)) if rng.random() < 0.4 else None
        self._white_db: float | None = None

    # ---- geometry
    # -------------------------------------------------------------------------------------------------

    def _place(self, rng: np.random.Generator) -> None:
        """Where the heart lies under the probe, and how it sways."""
        heart = self.heart
        self._tilt = float(np.deg2rad(rng.uniform(-14, 42)))
        front = heart.radius + heart.septum + heart.rv_width + rng.uniform(6, 26)
        self._centre = np.array([rng.uniform(-28, 16), front / np.cos(self._tilt)])
        self._rocking = float(np.deg2rad(rng.uniform(-4, 4)))
        self._swing = np.array([rng.uniform(-2.5, 2.5), rng.uniform(-3.5, 1.0)])
        self._drift = rng.uniform(0, 1.2, 2) * rng.choice([-1, 1], 2)
        self._drift_period_s = float(rng.uniform(2, 6))

    def _phase(self, time_s: float) -> float:
        """Place in the beat, [0, 1), at a time."""
        return float(self.heart.cycle.phase(np.asarray(time_s)))

    def _pose(self, time_s: float) -> tuple[float, FloatArray]:
        """Tilt (rad) and place of the heart's origin (mm) at a time."""
        beat = self._phase(time_s)
        contraction = float(self.heart.cycle.contraction(np.asarray(beat), 0.01))
        breath = np.sin(2 * np.pi * time_s / self._drift_period_s)
        return (
            self._tilt + self._rocking * contraction,
            self._centre + self._swing * contraction + self._drift * breath,
        )

    def _plane_to_heart(self, x: FloatArray, z: FloatArray, time_s: float) -> tuple[FloatArray, FloatArray]:
        tilt, centre = self._pose(time_s)
        c, s = np.cos(tilt), np.sin(tilt)
        dx, dz = x - centre[0], z - centre[1]
        u, v = c * dx + s * dz, -s * dx + c * dz
        wu, wv = self._warp_at(u, v)
        return u + wu, v + wv

    def _heart_to_plane(self, uv: FloatArray, time_s: float) -> FloatArray:
        """``(..., 2)`` heart coordinates → ``(..., 2)`` mm in the image plane (inverse of the above)."""
        tilt, centre = self._pose(time_s)
        c, s = np.cos(tilt), np.sin(tilt)
        u, v = np.moveaxis(self._warped(uv), -1, 0)
        return np.stack([c * u - s * v, s * u + c * v], -1) + centre

    def _warped(self, uv: FloatArray) -> FloatArray:
        """``(..., 2)`` heart coordinates → mm in the heart's own shape, before it is placed (by iteration)."""
        guess = np.asarray(uv, float)
        for _ in range(8):
            guess = uv - np.stack(self._warp_at(guess[..., 0], guess[..., 1]), -1)
        return guess

    def _warp_at(self, u: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Static warp that makes each heart's shape its own: displacement in mm at (u, v)."""
        shape = np.shape(u)
        column = ((np.ravel(u) - U_RANGE[0]) / _WARP_MM).astype(np.float32)[None]
        row = ((np.ravel(v) - V_RANGE[0]) / _WARP_MM).astype(np.float32)[None]
        # cv2.remap rounds coordinates to 1/32 sample; on this grid that is 0.06 mm of a field of a few mm: no
        # error.
        w = cv2.remap(self._warp, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return w[0, :, 0].reshape(shape), w[0, :, 1].reshape(shape)

    def points_mm(self, time_s: float) -> FloatArray:
        """``(4, 2)`` landmarks in mm in the image plane (probe at the origin, z down)."""
        phase = self._phase(time_s)
        return self._heart_to_plane(self.heart.landmarks(phase, self._landmark_u), time_s)

    @cached_property
    def _landmark_u(self) -> FloatArray:
        return material_places(self.heart, self._warped)

    def _valves_mm(self, time_s: float) -> FloatArray:
        """``(3, 2)`` mitral hinges and anterior tip, as `points_mm`."""
        phase = self._phase(time_s)
        (anterior, _), (posterior, _) = self._leaflets(phase)[:2]
        return self._heart_to_plane(np.stack([anterior[0], posterior[0], anterior[-1]]), time_s)

    def _aim(self, rng: np.random.Generator) -> Scanner:
        """Choose depth, sector and zoom so that the landmarks stay in view through the beat."""
        settings = sample_scanner(rng, self.style)
        times = np.linspace(0, self.heart.cycle.period_s, 7)
        path = np.concatenate([self.points_mm(t) for t in times])
        deepest, widest = path[:, 1].max(), np.abs(np.arctan2(path[:, 0], path[:, 1])).max()
        depth = float(np.clip(deepest + rng.uniform(6, 80), 70, 240))
        sector = max(float(np.deg2rad(rng.uniform(55, 100))), 2.15 * float(widest))
        half = depth * np.sin(min(sector, np.pi) / 2)
        margin = rng.uniform(1.0, 1.12)
        box = np.array([-half * margin, -depth * (margin - 1) / 2, half * margin, depth * (1 + margin) / 2])
        if rng.random() < 0.5:  # zoomed or cropped: any window that keeps the landmarks
            low, high = path.min(0) - 0.06 * depth, path.max(0) + 0.06 * depth
            pull = rng.uniform(0, 0.9, 4) if rng.random() < 0.7 else np.array([0.0, *rng.uniform(0, 0.8, 3)])
            box = box + pull * (np.array([low[0], low[1], high[0], high[1]]) - box)
            if box[2] - box[0] < 60 or box[3] - box[1] < 60:  # never closer than a heart's width
                centre = (box[:2] + box[2:]) / 2
                half_size = np.maximum(box[2:] - box[:2], 60) / 2
                box = np.concatenate([centre - half_size, centre + half_size])
        window = (float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1]))
        return Scanner(depth_mm=depth, sector_rad=sector, window_mm=window, **settings)  # type: ignore[arg-type]

    # ---- pictures
    # -------------------------------------------------------------------------------------------------

    def _painted(self, rng: np.random.Generator) -> Tissue:
        """Paint the heart, once."""
        u, v = self._plane_to_heart(np.zeros(1), np.zeros(1), 0.0)
        beam = (self._tilt, float(u[0]), float(v[0]))
        bloom_mm = self._beamformer.scanner.bloom_mm
        return paint(self.heart, rng, style=self.style, beam=beam, bloom_mm=bloom_mm)

    def render(self, times_s: FloatArray, *, tissue: bool = False, fps: float | None = None) -> SimulatedClip:
        """Make the frames at `times_s` (seconds, ``(T,)``); with `tissue` also the label maps at half resolution."""
        times_s = np.asarray(times_s, float)
        scanner = self._beamformer.scanner
        # Frame noise has its own stream, so that asking for other times changes nothing else.
        rng = np.random.default_rng((self.seed, 1))
        frames, labels, previous = [], [], None
        for time_s in times_s:
            envelope = self._beamformer.envelope(self._echoes(float(time_s)), rng)
            if previous is not None and scanner.persistence:
                envelope = scanner.persistence * previous + (1 - scanner.persistence) * envelope
            previous = envelope
            decibels = self._beamformer.decibels(envelope)
            if self._white_db is None:  # the operator sets the gain once
                self._white_db = self._white_level(decibels, float(time_s))
            frames.append(self._display(decibels, self._white_db))
            if tissue:
                labels.append(self._labels(float(time_s)))
        beat = self.heart.cycle.phase(times_s)
        points, valves = (
            np.stack([self.screen.to_pixels(place(float(t))) for t in times_s])
            for place in (self.points_mm, self._valves_mm)
        )
        phase = (self.heart.contraction(beat, -1) + self.heart.contraction(beat, +1)) / 2
        return SimulatedClip(
            np.stack(frames), points, valves, self.mm_per_px, times_s, fps, phase, beat,
            np.stack(labels) if tissue else None, self.heart.pathology, self.style, self.seed,
        )  # fmt: skip

    def _material(self, x: FloatArray, z: FloatArray, time_s: float) -> tuple[FloatArray, FloatArray]:
        """Places in the plane → (column, row) of the painted material grid."""
        u, v = self._plane_to_heart(x, z, time_s)
        phase = self._phase(time_s)
        u0, v0 = self._to_material(u, v, phase)
        return (u0 - U_RANGE[0]) / GRID_MM, (v0 - V_RANGE[0]) / GRID_MM

    def _to_material(self, u: FloatArray, v: FloatArray, phase: float) -> tuple[FloatArray, FloatArray]:
        """Heart coordinates at `phase` → material coordinates of the tissue that is there."""
        return self.heart.to_material(u, v, phase)

    def _echoes(self, time_s: float) -> NDArray[np.float32]:
        """Complex echoes of two independent looks, ``(samples, beams, 4)``, before the point-spread function."""
        scanner = self._beamformer.scanner
        column, row = self._material(*scanner.polar_to_plane(_COARSE), time_s)
        size = (scanner.beams, scanner.samples)
        column, row = (_refine(c, size) for c in (column, row))
        field = cv2.remap(
            self._tissue.scatterers, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        phase = self._phase(time_s)
        # The plane slips out with the contraction and comes back, as twist and through-plane motion do.
        slip = scanner.decorrelation * float(self.heart.contraction(np.asarray(phase), +1))
        c, s = np.cos(slip), np.sin(slip)
        rotation = [[c, 0, s, 0], [0, c, 0, s], [-s, 0, c, 0], [0, -s, 0, c]]
        field = cv2.transform(field, np.array(rotation, np.float32))
        self._add_leaflets(field, time_s, phase)
        return field

    def _add_leaflets(self, field: NDArray[np.float32], time_s: float, phase: float) -> None:
        """Draw mitral leaflets and aortic cusps, which no smooth map carries, into `field` (fresh, ours to edit)."""
        leaflets = self._leaflets(phase)
        if not leaflets:  # other views show none
            return
        scanner = self._beamformer.scanner
        canvas = np.zeros(field.shape[:2], np.float32)
        thickness = max(1, round(self._leaflet["width"] / scanner.depth_mm * scanner.samples / 2))
        plane = self._heart_to_plane(np.stack([line for line, _ in leaflets]), time_s)
        points = np.round(np.stack(scanner.plane_to_polar(plane[..., 0], plane[..., 1]), -1) * 8)
        for line, (_, echo) in zip(points.astype(np.int32), leaflets, strict=True):
            cv2.polylines(canvas, [line], False, float(echo), thickness, cv2.LINE_AA, 3)
        field += canvas[..., None] * (np.array([0.5, 0.2, 0.2, 0.5], np.float32) + 0.6 * np.sign(field))

    def _leaflets(self, phase: float) -> list[tuple[FloatArray, float]]:
        """Mitral leaflets and aortic cusps: lines ``(N, 2)`` in heart coordinates (u, v), each with its echo."""
        heart, spec = self.heart, self._leaflet
        curtain, septal, posterior = heart.hinges(phase)
        opening = float(heart.cycle.mitral_opening(np.asarray(phase)))
        s = np.linspace(0, 1, 14)[:, None]
        # Closed, both leaflets meet; open, they lie along the axis.
        length, closed = heart.anterior_leaflet, heart.coaptation
        swing = (1 - opening) * np.arctan2(closed[1], -closed[0]) - opening * heart.opening_rad
        anterior = curtain + length * s * [-np.cos(swing), 0.0]
        anterior += length * np.sin(swing) * s * (1.25 - 0.25 * s) * [0.0, 1.0]
        tip = curtain + closed - posterior
        tip = (1 - opening) * tip + opening * np.hypot(*tip) * np.array([-np.cos(0.25), np.sin(0.25)])
        lines = [(anterior, spec["echo"]), (posterior + s * tip, spec["echo"])]
        if spec["cusp_echo"]:
            open_ = float(heart.cycle.aortic_opening(np.asarray(phase)))
            along, normal, ring = ring_frame(septal - curtain)
            for wall in (0.0, ring):
                reach = ring / 2 - wall
                across = wall + (1 - 0.08 - 0.75 * open_) * reach * np.sqrt(s)
                lines.append((curtain + (1 + 9 * s) * normal + across * along, spec["cusp_echo"]))
        return lines

    def _white_level(self, decibels: NDArray[np.float32], time_s: float) -> float:
        """The level in dB that is shown white: that of the brightest few, unless the walls would stay black.

        Nobody records a clip for measuring walls that do not show, however much brighter the pericardium is.
        """
        scanner = self._beamformer.scanner
        white = self._brightest(decibels)
        dim = DIM_WALL + scanner.background / 255
        headroom_db = scanner.dynamic_range_db * (1 - dim ** (1 / scanner.gamma))
        x, z = scanner.polar_to_plane(_COARSE)
        labels = self._labels_at(x, z, time_s)
        walls = self.points_mm(time_s).reshape(2, 2, 2).mean(1)
        for name, (wall_x, wall_z) in zip(("septum", "posterior wall"), walls, strict=True):
            near = np.hypot(x - wall_x, z - wall_z) < _NEAR_MM
            muscle = decibels[::_COARSE, ::_COARSE][near & (labels == TISSUES.index(name))]
            if muscle.size:
                white = min(white, float(np.median(muscle)) + headroom_db)
        return white

    def _brightest(self, decibels: NDArray[np.float32]) -> float:
        """The level in dB that a few places exceed, as many as this operator allows."""
        return float(np.percentile(decibels, self._beamformer.scanner.top_percentile))

    def _display(self, decibels: NDArray[np.float32], white_db: float) -> NDArray[np.uint8]:
        """Grey map, scan conversion, post-processing, overlays, compression: ``(S, S)`` uint8."""
        scanner, screen = self._beamformer.scanner, self.screen
        black_db = white_db - scanner.dynamic_range_db
        grey = np.clip((decibels - black_db) / scanner.dynamic_range_db, 0, 1)
        picture = screen.scan_convert(cv2.pow(grey, scanner.gamma) * 255)
        if scanner.soften:
            picture = cv2.GaussianBlur(picture, (0, 0), scanner.soften)
        if scanner.sharpen:
            picture = picture + scanner.sharpen * (picture - cv2.GaussianBlur(picture, (0, 0), 1.2))
        picture = np.where(screen.inside, np.clip(picture, scanner.background, 255), scanner.background)
        shown: NDArray[np.uint8] = np.maximum(picture.astype(np.uint8), self._overlay)
        if self._jpeg_quality is not None:
            _, code = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, self._jpeg_quality])
            shown = np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)
        return shown

    def _labels(self, time_s: float) -> NDArray[np.uint8]:
        """Tissue labels at half resolution; 0 outside the sector."""
        # A half-resolution sample is the centre of 2×2 pixels: the mean of their places.
        x = (self.screen.x_mm[::2, ::2] + self.screen.x_mm[1::2, 1::2]) / 2
        z = (self.screen.z_mm[::2, ::2] + self.screen.z_mm[1::2, 1::2]) / 2
        return self._labels_at(x, z, time_s) * self.screen.inside[::2, ::2]

    def _labels_at(self, x: FloatArray, z: FloatArray, time_s: float) -> NDArray[np.uint8]:
        """Tissue labels at places (mm) in the plane."""
        column, row = self._material(x, z, time_s)
        labels = self._tissue.labels
        column = np.clip(np.round(column), 0, labels.shape[1] - 1).astype(int)
        row = np.clip(np.round(row), 0, labels.shape[0] - 1).astype(int)
        return labels[row, column]


_WARP_MM = 2.0


def _sample_warp(rng: np.random.Generator) -> NDArray[np.float32]:
    """Smooth displacement field in heart coordinates, ``(rows, columns, 2)`` mm, one sample every `_WARP_MM`."""
    shape = (round((V_RANGE[1] - V_RANGE[0]) / _WARP_MM), round((U_RANGE[1] - U_RANGE[0]) / _WARP_MM))
    knots = rng.standard_normal((2, 7, 7)).astype(np.float32) * rng.uniform(0, 3.0)
    return np.stack([cv2.resize(k, shape[::-1], interpolation=cv2.INTER_CUBIC) for k in knots], -1)


def _refine(coarse: FloatArray, size: tuple[int, int]) -> NDArray[np.float32]:
    """Interpolate a map known at every `_COARSE`-th sample (cell centres) to the grid, `size` = (width, height)."""
    full = cv2.resize(
        coarse.astype(np.float32),
        (coarse.shape[1] * _COARSE, coarse.shape[0] * _COARSE),
        interpolation=cv2.INTER_LINEAR,
    )
    return full[: size[1], : size[0]]


def simulate_clip(
    seed: int, *, frame_count: int = 48, fps: float | None = None, size: int = 224, style: str | None = None,
    pathology: str | None = None, tissue: bool = False,
) -> SimulatedClip:  # fmt: skip
    """Simulate one clip.

    Args:
        seed: the same seed and arguments give the same clip.
        frame_count: T.
        fps: frames per second; None draws 25..80.
        size: side in px.
        style, pathology: see `Phantom`.
        tissue: also return label maps.
    """
    phantom = Phantom(seed, style=style, pathology=pathology, size=size)
    fps = fps if fps is not None else float(np.random.default_rng((seed, 2)).uniform(25, 80))
    return phantom.render(np.arange(frame_count) / fps, tissue=tissue, fps=fps)
