"""Phantoms of what is not a parasternal long axis: other cuts through the same hearts, and no heart at all.

They only serve to calibrate the doubt about the view (`training.view_calibration`); no network learns from them.
Hearts, motion, scanner and screen are the phantom's; the painting is coarser: chambers of blood in walls.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_keypoints.data.simulation.phantom import FloatArray, Phantom, SimulatedClip
from echo_keypoints.data.simulation.tissue import (
    GRID_MM,
    U_RANGE,
    V_RANGE,
    Tissue,
    log_uniform,
    paint,
    scatter,
    smooth_noise,
)

VIEWS = ("short axis", "aortic short axis", "four chambers", "two chambers", "apical long axis", "subcostal", "inflow",
         "organ")  # fmt: skip
"""Parasternal short axis (at the papillary muscles or the mitral valve) and at the aortic valve; apical four- and
two-chamber views and long axis; subcostal four chambers; right-ventricular inflow; round holes in some other organ."""

_ROUND = ("short axis", "aortic short axis")
_APICAL = ("four chambers", "two chambers", "apical long axis")

_TILTS_DEG = {
    "short axis": (-35, 35),
    "aortic short axis": (-35, 35),
    "subcostal": (140, 195),
    "inflow": (-10, 50),
    "organ": (-180, 180),
}

Mask = NDArray[np.bool_]


def simulate_other_view(
    seed: int, view: str, *, frame_count: int = 48, fps: float | None = None, size: int = 224
) -> SimulatedClip:
    """Simulate a clip that is no parasternal long axis; its points and valves are NaN.

    Args:
        seed: the same seed and arguments give the same clip.
        view: one of `VIEWS`.
        frame_count: T.
        fps: frames per second; None draws 25..80.
        size: side in px.

    Raises:
        ValueError: for an unknown view.
    """
    phantom = OtherView(seed, view, size)
    fps = fps if fps is not None else float(np.random.default_rng((seed, 2)).uniform(25, 80))
    made = phantom.render(np.arange(frame_count) / fps, fps=fps)
    return replace(made, points=np.full_like(made.points, np.nan))


class OtherView(Phantom):
    """One simulated patient, seen otherwise.

    In short axes, the heart coordinates (u, v) lie in the cut, with v from front to back.

    Args:
        seed: everything follows from it.
        view: one of `VIEWS`.
        size: side of the square picture in px.
    """

    def __init__(self, seed: int, view: str, size: int = 224) -> None:
        if view not in VIEWS:
            raise ValueError(f"unknown view {view!r}; choose one of {', '.join(VIEWS)}")
        self._view = view
        super().__init__(seed, size=size)

    def _place(self, rng: np.random.Generator) -> None:
        super()._place(rng)
        self._tilt = float(np.deg2rad(rng.uniform(*_TILTS_DEG.get(self._view, (65, 110)))))
        if self._view in _APICAL:  # the apex under the probe, the base deep
            reach = self.heart.apex_length + rng.uniform(8, 25)
            aside = np.array([rng.uniform(-12, 12), 0])
            self._centre = aside + reach * np.array([np.cos(self._tilt), np.sin(self._tilt)])
        elif self._view == "subcostal":  # the liver in front
            self._centre = self._centre + rng.uniform(0, 1, 2) * (30, 25)

    def points_mm(self, time_s: float) -> FloatArray:
        """``(4, 2)`` places in mm that the sector must hold."""
        heart = self.heart
        across = [[0.0, -heart.radius - heart.septum], [0.0, heart.radius + heart.posterior]]
        along = [[-0.8 * heart.apex_length, 0.0], [heart.base_length + 15.0, 0.0]]
        if self._view in _ROUND:
            along = [[-heart.radius, 0.0], [heart.radius, 0.0]]
        elif self._view == "organ":
            along = [[-30.0, 0.0], [30.0, 0.0]]
        return self._heart_to_plane(np.array(across + along), time_s)

    def _to_material(self, u: FloatArray, v: FloatArray, phase: float) -> tuple[FloatArray, FloatArray]:
        if self._view == "organ":
            return u, v
        if self._view not in _ROUND:
            return super()._to_material(u, v, phase)
        # Along each ray the wall moves as in the long axis: as the septum in front, as the posterior wall behind.
        distance = np.hypot(u, v)
        front = super()._to_material(np.zeros_like(u), -np.maximum(distance, 1e-3), phase)[1]
        back = super()._to_material(np.zeros_like(u), distance, phase)[1]
        behind = _behind(u, v)
        scale = (behind * back - (1 - behind) * front) / np.maximum(distance, 1e-3)
        return u * scale, v * scale

    def _valves_mm(self, time_s: float) -> FloatArray:
        return np.full((3, 2), np.nan)  # as the landmarks: of a long axis only

    def _leaflets(self, phase: float) -> list[tuple[FloatArray, float]]:
        if self._view in ("apical long axis", "four chambers", "two chambers", "subcostal"):
            valves = super()._leaflets(phase)
            return valves if self._view == "apical long axis" else valves[:2]  # no aortic valve in the others
        if self._view not in _ROUND or self._level == "papillary":
            return []
        s = np.linspace(-1, 1, 15)[:, None]
        cycle, radius = self.heart.cycle, self.heart.radius
        if self._view == "short axis":  # the mitral valve from its end: a mouth
            gap = (0.06 + 0.5 * float(cycle.mitral_opening(np.asarray(phase)))) * radius
            mouth = s * [0.65 * radius, 0.0]
            lips = [mouth + gap * np.sqrt(1 - s**2) * [0.0, side] for side in (-1, 1)]
            return [(lip, self._leaflet["echo"]) for lip in lips]
        if float(cycle.aortic_opening(np.asarray(phase))) > 0.5:
            return []
        spokes = [np.linspace(0, 0.5 * radius, 8)[:, None] * [np.sin(a), np.cos(a)] for a in (0.5, 2.6, 4.7)]
        return [(spoke, self._leaflet["cusp_echo"]) for spoke in spokes]

    def _white_level(self, decibels: NDArray[np.float32], time_s: float) -> float:
        return self._brightest(decibels)  # no wall is to be measured

    def _painted(self, rng: np.random.Generator) -> Tissue:
        self._level = "papillary" if self._view == "short axis" and rng.random() < 0.6 else "valve"
        if self._view == "apical long axis":
            return paint(self.heart, rng, style=self.style, beam=(self._tilt, -200.0, 0.0))
        uu, vv = np.meshgrid(np.arange(*U_RANGE, GRID_MM), np.arange(*V_RANGE, GRID_MM))
        painter = {"short axis": _short_axis, "aortic short axis": _aortic, "organ": _organ}.get(self._view)
        if painter:
            muscle, blood, inner = painter(self.heart, rng, uu, vv)
        else:
            muscle, blood, inner = _chambers(
                self.heart,
                rng,
                uu,
                vv,
                right=self._view in ("four chambers", "subcostal"),
                thin=self._view == "inflow",
            )
        if self._level == "valve":
            inner &= False
        return Tissue(_echogenicity(rng, self.style, muscle, blood, inner), np.zeros(uu.shape, np.uint8))


def _behind(u: FloatArray, v: FloatArray) -> FloatArray:
    """0 in front of the middle, 1 behind, smooth around it."""
    return (1 + v / np.maximum(np.hypot(u, v), 1e-3)) / 2


def _around(cavity: Mask, thickness_mm: float) -> Mask:
    """The cavity grown by a wall."""
    outside = cv2.distanceTransform((~cavity).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(outside * GRID_MM < thickness_mm)


def _short_axis(heart, rng, uu, vv):  # type: ignore[no-untyped-def]
    """A ring with two papillary muscles, the right ventricle a crescent around its front."""
    uniform = rng.uniform
    distance, radius = np.hypot(uu, vv * uniform(0.9, 1.1)), heart.radius
    behind = _behind(uu, vv)
    left = distance < radius
    ring = distance < radius + behind * heart.posterior + (1 - behind) * heart.septum
    middle = (-uniform(0.2, 0.8) * radius, -uniform(0.6, 1.0) * radius)
    right = np.hypot(uu - middle[0], vv - middle[1]) < uniform(1.0, 1.35) * radius
    papillary = np.zeros_like(left)
    for side in (-1, 1):
        angle, place = side * uniform(0.7, 1.2), uniform(0.6, 0.9) * radius
        size = uniform(0.14, 0.28) * radius
        papillary |= np.hypot(uu - place * np.sin(angle), vv - place * np.cos(angle)) < size
    return ring | _around(right, uniform(2, 5)), left | (right & ~ring), papillary & left


def _aortic(heart, rng, uu, vv):  # type: ignore[no-untyped-def]
    """The aortic root, round, between outflow tract in front and the two atria behind."""
    uniform, root = rng.uniform, 0.55 * heart.radius
    aorta = np.hypot(uu, vv) < root
    wall = _around(aorta, uniform(1.5, 3))
    outflow = (np.hypot(uu, vv) < root + uniform(12, 22)) & (vv < uniform(-0.3, 0.3) * root)
    left = (uu / uniform(22, 34)) ** 2 + ((vv - root - 16) / uniform(13, 18)) ** 2 < 1
    right = (uu + root + 18) ** 2 / uniform(16, 24) ** 2 + (vv - 10) ** 2 / uniform(16, 24) ** 2 < 1
    blood = aorta | (~wall & (outflow | left | (right & (uu < -root))))
    return _around(blood, uniform(2, 4)), blood, np.zeros_like(aorta)


def _chambers(heart, rng, uu, vv, right, thin):  # type: ignore[no-untyped-def]
    """Ventricle and atrium; with `right` the other pair beside them (on the side of v > 0) and the septa between.

    The walls are those of the left ventricle, or `thin` as the right one's."""
    uniform, base = rng.uniform, heart.base_length
    sides = [np.where(vv < 0, part(uu, -1), part(uu, 1)) for part in (heart.cavity, heart.wall)]
    below = uu < base
    ventricle = (np.abs(vv) < sides[0]) & below
    muscle = (np.abs(vv) < sides[0] + sides[1]) & (uu < base + 3) & (not thin)
    half, depth = uniform(0.75, 1.05) * heart.radius, uniform(22, 34)
    atrium = (vv / half) ** 2 + ((uu - base - 0.8 * depth) / depth) ** 2 < 1
    blood = ventricle | (atrium & (uu > base + uniform(-1, 2)))
    if right:
        edge = heart.radius + heart.septum + uniform(0, 4)
        widening = (uu + uniform(0.6, 0.95) * heart.apex_length) / heart.apex_length
        width = uniform(20, 38) * np.clip(widening, 0, 1)
        other = (vv > np.maximum(sides[0] + sides[1], 0)) & (vv < edge + width) & below & (width > 0)
        middle, reach = edge + half * 0.9, uniform(20, 32)
        atrium = ((vv - middle) / half) ** 2 + ((uu - base - 0.7 * reach) / reach) ** 2 < 1
        blood = blood | (other & ~muscle) | (atrium & (uu > base - 2) & (vv > edge - 2))
    papillary = np.hypot((uu + 0.3 * heart.apex_length) / 2, vv - 0.7 * heart.radius) < uniform(3, 7)
    return muscle | _around(blood, uniform(2, 5)), blood, papillary & ventricle


def _organ(heart, rng, uu, vv):  # type: ignore[no-untyped-def]
    """Some round or oblong holes, as vessels, cysts, a bladder or an eye have."""
    uniform = rng.uniform
    blood = np.zeros(uu.shape, bool)
    for _ in range(rng.integers(1, 5)):
        du, dv, angle = uu - uniform(-40, 40), vv - uniform(-40, 40), uniform(0, np.pi)
        along, across = du * np.cos(angle) + dv * np.sin(angle), dv * np.cos(angle) - du * np.sin(angle)
        blood |= (along / uniform(8, 45)) ** 2 + (across / uniform(4, 28)) ** 2 < 1
    return _around(blood, uniform(0, 5)), blood, np.zeros_like(blood)


def _echogenicity(
    rng: np.random.Generator, style: str, muscle: Mask, blood: Mask, inner: Mask
) -> NDArray[np.float32]:
    """Scatterers of muscle, blood and what surrounds them."""
    spread = (2.5, 2.0) if style == "randomised" else (1.0, 1.0)

    def echo(low: float, high: float) -> float:
        return log_uniform(rng, low / spread[0], high * spread[1])

    amplitude = np.full(muscle.shape, echo(0.1, 1.2), np.float32)
    amplitude[_around(muscle, rng.uniform(1, 5))] = echo(0.6, 4.0)  # pericardium, capsule
    amplitude[muscle] = echo(0.25, 1.4)
    amplitude[blood] = echo(0.008, 0.06)
    amplitude[inner & blood] = echo(0.15, 1.0)
    amplitude *= np.exp(rng.uniform(0.05, 0.45) * smooth_noise(rng, muscle.shape, rng.uniform(6, 24)))
    amplitude *= np.exp(rng.uniform(0.1, 0.5) * smooth_noise(rng, muscle.shape, rng.uniform(40, 120)))
    amplitude = cv2.GaussianBlur(amplitude, (0, 0), rng.uniform(0.5, 1.2))
    return scatter(np.repeat(amplitude[..., None], 2, axis=-1), rng)
