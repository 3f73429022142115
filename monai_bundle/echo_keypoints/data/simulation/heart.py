"""The heart's shape and how it moves.

Heart coordinates, in mm: ``u`` along the long axis (apex negative, base positive), ``v`` across it (septum negative,
posterior wall positive). *Material* coordinates are those of end-diastole; tissue keeps them while it moves. The
motion is written as the inverse map (where does the tissue at this place come from), which is what rendering needs;
the landmarks lie on material lines whose forward map is known in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.data.simulation.cycle import Cycle, sample_cycle

FloatArray = NDArray[np.floating]

BELOW_TIPS = 4.0
"""Distance in mm of the landmarks from the furthest reach of the leaflets' tips: readers of real clips set them 25 to
30 mm from the curtain."""

PATHOLOGIES = ("normal", "heart_failure", "hypertrophy", "septal_infarct", "posterior_infarct")


@dataclass(frozen=True)
class Heart:
    """One heart at end-diastole, and the amplitudes of its motion. Lengths in mm, fractions of 1.

    Attributes:
        pathology: one of `PATHOLOGIES`.
        cycle: the timing.
        radius, apex_length, base_length: half width of the cavity, its extent to the apex and to the mitral annulus.
        septum, posterior: wall thicknesses.
        basal_bulge, taper: height of the basal septal bulge; narrowing of the cavity towards the base (fraction).
        septal_motion, posterior_motion: inward motion of the two endocardia at end-systole / `radius`.
        septal_thickening, posterior_thickening: systolic wall thickening.
        septal_delay, posterior_delay: lateness of the walls, in phase.
        shortening: longitudinal shortening, apex fixed.
        rv_width: right-ventricular cavity in front of the septum.
        anterior_leaflet: length of the anterior mitral leaflet.
        closure_rad: angle of the closed anterior leaflet to the axis.
        tip_gap: how near the open anterior leaflet's tip comes to the septum (E-point septal separation).
        aortic_ring: diameter of the aortic annulus.
        root_rad, mitral_rad: tilt of aortic root and mitral annulus. Both rings hinge on the curtain between them,
            the most basal place of the ventricle; septum and posterior wall end below it.
    """

    pathology: str
    cycle: Cycle
    radius: float
    apex_length: float
    base_length: float
    septum: float
    posterior: float
    basal_bulge: float
    taper: float
    septal_motion: float
    posterior_motion: float
    septal_thickening: float
    posterior_thickening: float
    septal_delay: float
    posterior_delay: float
    shortening: float
    rv_width: float
    anterior_leaflet: float
    closure_rad: float
    tip_gap: float
    aortic_ring: float
    root_rad: float
    mitral_rad: float

    @property
    def curtain(self) -> FloatArray:
        """``(2,)`` (u, v) of the hinge between aortic root and anterior mitral leaflet at end-diastole."""
        across = self.aortic_ring * np.cos(self.root_rad) - self.radius * (1 - self.taper)
        return np.array([self.base_length, min(float(across), 0.3 * self.radius)])

    @property
    def coaptation(self) -> FloatArray:
        """``(2,)`` (u, v) from the curtain to the tips of the closed leaflets, which stay off the posterior wall."""
        room = (0.65 * self.radius - self.curtain[1]) / self.anterior_leaflet
        angle = min(self.closure_rad, float(np.arcsin(min(room, 1.0))))
        return self.anterior_leaflet * np.array([-np.cos(angle), np.sin(angle)])

    @property
    def opening_rad(self) -> float:
        """Angle of the wide-open anterior leaflet to the axis, towards the septum."""
        early = self.cycle.systole + self.cycle.e_wave * (1 - self.cycle.systole)
        septum, _ = self.deformed(np.asarray(self.tips_u), -1, float(self.contraction(np.asarray(early), -1)))
        reach = (float(septum) - self.tip_gap + self.curtain[1]) / self.anterior_leaflet
        return float(np.arcsin(np.clip(reach, 0.1, 0.85)))

    def wall_end(self, side: int) -> float:
        """Where along the axis a wall ends at end-diastole: the septum at the aortic root, the posterior wall at the
        mitral annulus; always basal of the landmarks."""
        if side < 0:
            return max(
                self.base_length - self.aortic_ring * float(np.sin(self.root_rad)), self.landmark_u + 5
            )
        opening = 0.88 * self.radius - self.curtain[1]
        return max(self.base_length - float(opening * np.tan(self.mitral_rad)), self.landmark_u + 4)

    @property
    def tips_u(self) -> float:
        """How far along the axis the leaflets' tips reach: furthest when they point along it."""
        return self.base_length - self.anterior_leaflet

    @property
    def landmark_u(self) -> float:
        """Where along the axis the landmarks lie, but for the warp (`measuring_line`): below the tips (ASE 2015)."""
        return self.tips_u - BELOW_TIPS

    def cavity(self, u: FloatArray, side: int) -> FloatArray:
        """Distance of the endocardium from the axis at end-diastole; `side` -1 septum, +1 posterior."""
        toward_apex = np.sqrt(np.clip(1 - (np.minimum(u, 0) / self.apex_length) ** 2, 0, 1))
        toward_base = 1 - self.taper * np.clip(u / self.base_length, 0, 1.6) ** 2
        distance = self.radius * toward_apex * toward_base
        return distance - self._bulge(u) if side < 0 else distance

    def wall(self, u: FloatArray, side: int) -> FloatArray:
        """Wall thickness at end-diastole; it closes around the apex and thins out into aorta and AV groove."""
        thickness = self.septum if side < 0 else self.posterior
        outer = (self.radius + thickness) * np.sqrt(
            np.clip(1 - (np.minimum(u, 0) / (self.apex_length + 0.8 * thickness)) ** 2, 0, 1)
        )
        toward_base = 1 - self.taper * np.clip(u / self.base_length, 0, 1.6) ** 2
        base_outer = self.radius * toward_base + thickness
        epicardium = np.where(u < 0, outer, base_outer)
        thinning = np.clip((self.wall_end(side) + 10 - u) / 14, 0.25, 1.0)
        return np.maximum(epicardium - self.cavity(u, side), 0.0) * thinning

    def _bulge(self, u: FloatArray) -> FloatArray:
        return self.basal_bulge * np.exp(-(((u - self.wall_end(-1) + 6) / 9.0) ** 2))

    def contraction(self, phase: FloatArray, side: int) -> FloatArray:
        """0 … 1 for one wall, with its own delay."""
        return self.cycle.contraction(phase, self.septal_delay if side < 0 else self.posterior_delay)

    def deformed(self, u: FloatArray, side: int, contraction: float) -> tuple[FloatArray, FloatArray]:
        """Endocardial distance and wall thickness at material position `u` when the wall has contracted so far."""
        motion = self.septal_motion if side < 0 else self.posterior_motion
        thickening = self.septal_thickening if side < 0 else self.posterior_thickening
        # Beyond their ends the walls of aorta and atrium follow only partly.
        local = np.clip(1 - (u - self.wall_end(side)) / 25.0, 0.15, 1)
        cavity = self.cavity(u, side) * (1 - motion * contraction * local)
        return cavity, self.wall(u, side) * (1 + thickening * contraction * local)

    def to_material(self, u: FloatArray, v: FloatArray, phase: float) -> tuple[FloatArray, FloatArray]:
        """Place (heart coordinates at `phase`) → material coordinates of the tissue that is there."""
        septal = float(self.contraction(np.asarray(phase), -1))
        posterior = float(self.contraction(np.asarray(phase), +1))
        u0 = self._longitudinal(u, 0.5 * (septal + posterior))
        v0 = np.empty_like(v)
        for side, contraction, reach in ((-1, septal, 22.0), (+1, posterior, 14.0)):
            here = (v < 0) if side < 0 else (v >= 0)
            a = np.abs(v[here])
            ue = u0[here]
            r1, h1 = self.deformed(ue, side, contraction)
            r0, h0 = self.cavity(ue, side), self.wall(ue, side)
            inside = a * r0 / np.maximum(r1, 1e-3)
            within = r0 + (a - r1) * h0 / np.maximum(h1, 1e-3)
            beyond = a + (r0 + h0 - r1 - h1) * np.exp(-np.maximum(a - r1 - h1, 0) / reach)
            v0[here] = side * np.where(a < r1, inside, np.where(a < r1 + h1, within, beyond))
        return u0, v0

    def _longitudinal(self, u: FloatArray, contraction: float) -> FloatArray:
        shrink = 1 - self.shortening * contraction
        base = (self.base_length + self.apex_length) * shrink - self.apex_length
        pulled = (u + self.apex_length) / shrink - self.apex_length
        # The roof of the atrium stays: the pull of the annulus fades over 60 mm.
        fade = (self.base_length - base) * np.clip(1 - (u - base) / 60.0, 0, 1)
        return np.where(u < base, pulled, u + fade)

    def hinges(self, phase: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """``(2,)`` (u, v) each of curtain, septal end and posterior end of the valves' rings at `phase`."""
        contraction = float(self.contraction(np.asarray(phase), +1))
        ends = np.array([self.base_length, self.wall_end(-1), self.wall_end(+1)])
        moved = (ends + self.apex_length) * (1 - self.shortening * contraction) - self.apex_length
        septal, _ = self.deformed(ends[1], -1, float(self.contraction(np.asarray(phase), -1)))
        posterior = 0.82 * self.radius * (1 - 0.3 * self.posterior_motion * contraction)
        return (
            np.array([moved[0], self.curtain[1]]),
            np.array([moved[1], -float(septal)]),
            np.array([moved[2], posterior]),
        )

    def landmarks(self, phase: float, u: FloatArray) -> FloatArray:
        """``(4, 2)`` heart coordinates (u, v) of SEpP, SEnP, PEnP, PEpP at `phase`; `u` ``(4,)`` are those of their
        tissue (`measuring_line`)."""
        septal = float(self.contraction(np.asarray(phase), -1))
        posterior = float(self.contraction(np.asarray(phase), +1))
        shrink = 1 - self.shortening * 0.5 * (septal + posterior)
        rs, hs = self.deformed(u[:2], -1, septal)
        rp, hp = self.deformed(u[2:], +1, posterior)
        v = [-(rs[0] + hs[0]), -rs[1], rp[0], rp[1] + hp[1]]
        return np.stack([(u + self.apex_length) * shrink - self.apex_length, v], axis=-1)


def ring_frame(chord: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """The frame of a valve's ring: unit vector ``(2,)`` along its `chord` in (u, v), unit normal towards the base, and
    the chord's length."""
    length = float(np.hypot(*chord))
    along = chord / length
    normal = np.array([along[1], -along[0]])
    return along, normal * np.copysign(1.0, normal[0]), length


def sample_heart(rng: np.random.Generator, pathology: str | None = None) -> Heart:
    """Draw a heart; `pathology` None draws one of `PATHOLOGIES`, half of them normal."""
    uniform = rng.uniform
    if pathology is None:
        pathology = "normal" if rng.random() < 0.5 else str(rng.choice(PATHOLOGIES[1:]))
    if pathology not in PATHOLOGIES:
        raise ValueError(f"unknown pathology {pathology!r}; choose one of {', '.join(PATHOLOGIES)}")
    tilted = 1.0 if rng.random() < 0.8 else uniform(0, 0.5)
    heart = Heart(
        pathology=pathology,
        cycle=sample_cycle(rng),
        radius=uniform(18, 29),
        apex_length=uniform(45, 72),
        base_length=uniform(22, 42),
        septum=uniform(6, 14),
        posterior=uniform(6, 13),
        basal_bulge=uniform(0, 5) if rng.random() < 0.4 else 0.0,
        taper=uniform(0, 0.3),
        septal_motion=uniform(0.18, 0.45),
        posterior_motion=uniform(0.28, 0.65),
        septal_thickening=uniform(0.15, 0.75),
        posterior_thickening=uniform(0.3, 1.1),
        septal_delay=uniform(-0.01, 0.03),
        posterior_delay=uniform(0.0, 0.05),
        shortening=uniform(0.08, 0.2),
        rv_width=uniform(8, 28),
        anterior_leaflet=uniform(17, 28),
        closure_rad=uniform(0.3, 0.9),
        tip_gap=uniform(0.5, 8),
        aortic_ring=uniform(17, 26),
        root_rad=tilted * uniform(0.2, 1.0),
        mitral_rad=tilted * uniform(0.15, 0.9),
    )
    if pathology == "heart_failure":
        return replace(
            heart, radius=uniform(28, 38), septal_motion=uniform(0.02, 0.15), posterior_motion=uniform(0.05, 0.2),
            septal_thickening=uniform(0, 0.2), posterior_thickening=uniform(0.05, 0.25), shortening=uniform(0.02, 0.09),
            septum=uniform(6, 10), posterior=uniform(6, 10), tip_gap=uniform(4, 20),
        )  # fmt: skip
    if pathology == "hypertrophy":
        return replace(
            heart, radius=uniform(14, 22), septum=uniform(13, 26), posterior=uniform(10, 18),
            septal_motion=uniform(0.2, 0.55), posterior_motion=uniform(0.5, 0.85), basal_bulge=uniform(0, 5),
            septal_thickening=uniform(0.1, 0.4),
        )  # fmt: skip
    if pathology == "septal_infarct":
        return replace(
            heart, septal_motion=uniform(-0.12, 0.08), septal_thickening=uniform(-0.15, 0.1), septum=uniform(4, 9),
            septal_delay=uniform(0.0, 0.1),
        )  # fmt: skip
    if pathology == "posterior_infarct":
        return replace(
            heart, posterior_motion=uniform(-0.08, 0.12), posterior_thickening=uniform(-0.15, 0.12),
            posterior=uniform(4, 8), posterior_delay=uniform(0.0, 0.1),
        )  # fmt: skip
    return heart
