"""What the tissue looks like to ultrasound: echogenicity and labels, painted once in material coordinates.

Everything painted here is carried by the motion: papillary muscle and chordae are packed against the posterior wall
in systole, as in a real heart, because the cavity that holds them shrinks.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_keypoints.data.simulation.heart import Heart, ring_frame

GRID_MM = 0.5
U_RANGE = (-110.0, 120.0)
V_RANGE = (-110.0, 120.0)

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Tissue:
    """Painted material grid.

    Attributes:
        scatterers: ``(Hv, Wu, 4)`` float32: two independent complex scatterer fields (re, im, re, im), the two looks,
            already multiplied by the echogenicity of each. Mixing them makes speckle decorrelate.
        labels: ``(Hv, Wu)`` uint8, indices into `anatomy.TISSUES`.
    """

    scatterers: FloatArray
    labels: NDArray[np.uint8]


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> FloatArray:
    """Zero-mean, about unit-variance noise ``shape`` whose blobs are `scale` samples wide."""
    coarse = (max(2, round(shape[0] / scale)), max(2, round(shape[1] / scale)))
    noise = rng.standard_normal(coarse).astype(np.float32)
    return cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A draw that is uniform in its logarithm: echo amplitudes span decades."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def paint(
    heart: Heart,
    rng: np.random.Generator,
    *,
    style: str,
    beam: tuple[float, float, float],
    bloom_mm: float = 0.0,
) -> Tissue:
    """Paint one heart.

    An echo is smeared, and on a logarithmic grey scale the foot of the smear shows: every border seems to lie
    `bloom_mm` further out on the side of the weaker echo. A reader measures between the borders that show (ASE
    2015), so the heart's geometry is where borders show, and the echoes are painted that much behind them.

    Args:
        heart: its geometry.
        rng: draws appearance.
        style: ``"acoustic"`` (echogenicities as tissue has them) or ``"randomised"`` (any contrast goes).
        beam: (tilt in rad, u, v of the probe): walls along the beam echo less.
        bloom_mm: by how much borders seem displaced.
    """
    u = np.arange(*U_RANGE, GRID_MM, dtype=np.float32)
    v = np.arange(*V_RANGE, GRID_MM, dtype=np.float32)
    shape = (len(v), len(u))
    uu, vv = np.meshgrid(u, v)
    wild = style == "randomised"
    uniform = rng.uniform

    def echo(low: float, high: float) -> float:
        return log_uniform(rng, low / 2.5, high * 2.0) if wild else log_uniform(rng, low, high)

    # Where each boundary runs, with a little waviness along u.
    wave = smooth_noise(rng, (1, len(u)), 60)[0]
    septal = heart.cavity(u, -1).astype(np.float32)
    posterior = heart.cavity(u, +1).astype(np.float32)
    septum = heart.wall(u, -1).astype(np.float32)
    wall = heart.wall(u, +1).astype(np.float32)
    # Echoes start here; thin walls keep some echo.
    septal_echo = septal + np.minimum(bloom_mm, 0.3 * septum)
    septal_end = septal + septum - np.minimum(bloom_mm, 0.3 * septum)
    # With chordae and papillary muscle before it, it has less contrast than the septum: less of the smear shows.
    posterior_echo = posterior + np.minimum(0.6 * bloom_mm, 0.3 * wall)
    effusion = uniform(2, 15) if rng.random() < 0.06 else 0.0  # fluid between wall and pericardium
    pericardium_echo = posterior + wall + effusion + bloom_mm
    a = np.abs(vv)
    front = vv < 0
    base, apex = heart.base_length, heart.apex_length

    blood = echo(0.008, 0.06)
    amplitude = np.full(shape, echo(0.25, 1.2), np.float32)
    labels = np.zeros(shape, np.uint8)

    def fill(mask: NDArray[np.bool_], value: float, label: int | None = None) -> None:
        amplitude[mask] = value
        if label is not None:
            labels[mask] = label

    # In front of the septum: right ventricle, its free wall, chest wall.
    rv_taper = np.clip((u + apex * uniform(0.7, 1.2)) / (apex * 0.9), 0.05, 1.0)
    rv_edge = septal + septum + np.maximum(1.5, heart.rv_width * rv_taper + 2.5 * wave)
    fill(front & (a <= rv_edge), blood * uniform(0.7, 3), 1)
    free_wall = uniform(2, 6)
    fill(front & (a > rv_edge) & (a < rv_edge + free_wall), echo(0.4, 2.0))
    if rng.random() < 0.6:  # trabecula and moderator band
        band = (
            front
            & (a > septal + septum + uniform(0, 3))
            & (a < rv_edge)
            & (smooth_noise(rng, shape, uniform(8, 20)) > uniform(0.6, 1.6))
        )
        amplitude[band] = echo(0.06, 0.6)
    # Behind the posterior wall: pericardium, then lung or haze.
    behind = ~front & (a > pericardium_echo)
    depth_behind = np.maximum(a - pericardium_echo, 0)
    haze, pericardium = echo(0.06, 1.0), echo(1.2, 12.0)
    fill(behind, haze)
    draw = rng.random()
    if draw < 0.25:  # glare: what lies behind is as bright as the pericardium itself
        glare = pericardium * uniform(0.3, 1.0) * np.exp(-depth_behind[behind] / uniform(10, 50))
        amplitude[behind] = np.maximum(glare, 0.05 * haze)
    elif draw < 0.8:
        amplitude[behind] *= (
            log_uniform(rng, 1, 4) * np.exp(-depth_behind[behind] / uniform(10, 60))
        ).astype(np.float32) + 0.05
    thickness = uniform(1.2, 6.5)
    fill(behind & (depth_behind < thickness), pericardium)
    epi = posterior + wall
    labels[~front & (a > epi) & (a < epi + effusion + thickness)] = 5
    # The walls.
    ends = uu < heart.wall_end(+1) + 6 - 0.4 * np.maximum(a - posterior, 0)
    fill(~front & (a > posterior) & (a <= pericardium_echo) & ends, echo(0.18, 0.9))
    if effusion:
        fill(
            ~front & (a > epi - min(bloom_mm, 2.0)) & (a <= pericardium_echo) & ends, blood * uniform(0.6, 2)
        )
    labels[~front & (a > posterior) & (a <= epi) & ends] = 4
    septum_ends = uu < heart.wall_end(-1) + 3
    fill(front & (a > septal) & (a <= septal_end) & septum_ends, echo(0.22, 1.1))
    labels[front & (a > septal) & (a <= septal + septum) & septum_ends] = 2
    cavity = np.where(front, a <= septal, a <= posterior)
    lumen = np.where(front, a <= septal_echo, a <= posterior_echo)
    fill(lumen & (uu > -apex) & (uu < base + 2), blood)
    labels[cavity & (uu > -apex) & (uu < base + 2)] = 3

    _paint_base(heart, rng, uu, vv, fill, echo, blood)
    # The plane slips through the heart as it beats: what lies in the cavity and how walls are grained differ between
    # the two looks, so that some of it comes and goes while the wall beside it does not.
    other = amplitude.copy()
    _paint_cavity_contents(heart, rng, uu, vv, a, posterior, labels == 3, amplitude, echo)
    _paint_cavity_contents(heart, rng, uu, vv, a, posterior, labels == 3, other, echo)
    looks = np.stack([amplitude, other if rng.random() < 0.7 else amplitude], -1)

    # Specular borders, and walls that fade where they run along the beam.
    for into_wall, side, chance in (
        (a - septal_echo, front & (uu < heart.wall_end(-1)), 0.7),
        (a - posterior_echo, ~front & (uu < heart.wall_end(+1)), 0.7),
        (septal_end - a, front & (uu < heart.wall_end(-1)), 0.5),
    ):
        if rng.random() < chance:
            line = side & (into_wall >= 0) & (into_wall < uniform(0.7, 2.2)) & (uu > -apex)
            looks[line] *= log_uniform(rng, 1.1, 3.5)
    looks *= _beam_angle_gain(heart, rng, uu, vv, beam)[..., None]
    # Patches: fibres, fat, missing pieces of wall.
    grain, scale = uniform(0.05, 0.45), uniform(6, 24)
    looks *= np.exp(grain * np.stack([smooth_noise(rng, shape, scale) for _ in range(2)], -1))
    looks *= np.exp(uniform(0.1, 0.5) * smooth_noise(rng, shape, uniform(40, 120)))[..., None]
    looks = cv2.GaussianBlur(looks, (0, 0), uniform(0.5, 1.2))

    return Tissue(scatter(looks, rng), labels)


def scatter(looks: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Fill echogenicity with scatterers: amplitudes ``(H, W, 2)`` of two looks → `Tissue.scatterers`."""
    noise = rng.standard_normal((*looks.shape[:2], 4), dtype=np.float32)
    # Slightly band-limited, so that bilinear look-up keeps the variance even while the tissue moves.
    noise = cv2.GaussianBlur(noise, (0, 0), 0.6) * 2.1
    return noise * np.repeat(looks, 2, axis=-1)


def _paint_base(heart, rng, uu, vv, fill, echo, blood) -> None:  # type: ignore[no-untyped-def]
    """Left atrium, aortic root with its walls, RV outflow, descending aorta."""
    uniform = rng.uniform
    radius = heart.radius
    curtain = heart.curtain
    du, dv = uu - curtain[0], vv - curtain[1]
    # Left atrium: behind the mitral annulus, which it overhangs.
    posterior_hinge = np.array([heart.wall_end(+1), 0.88 * radius])
    along, normal, annulus = ring_frame(posterior_hinge - curtain)
    behind, across = du * normal[0] + dv * normal[1], du * along[0] + dv * along[1]
    half = max(0.5 * annulus * uniform(0.95, 2.1), uniform(9, 14))
    deep, centre = half * uniform(0.95, 1.7), half * uniform(0.55, 0.9)

    def from_middle(grown: float) -> FloatArray:
        return ((behind - centre) / (deep + grown)) ** 2 + ((across - half + 2) / (half + grown)) ** 2

    atrium = from_middle(0) < 1
    rim = (from_middle(2) < 1) & ~atrium
    # A tilted ring leans over the posterior wall, which the atrium must not eat away.
    basal = (vv < posterior_hinge[1]) | (uu > posterior_hinge[0] + 1)
    fill(atrium & (behind > 0) & basal, blood * uniform(0.6, 1.6), 6)
    fill(rim & (behind > 4) & (across > 0.3 * annulus) & basal, echo(0.6, 3.0))
    # Aortic root: from curtain and septum, along its own axis, with sinuses.
    septal_hinge = np.array([heart.wall_end(-1), -float(heart.cavity(np.asarray(heart.wall_end(-1)), -1))])
    along, normal, ring = ring_frame(septal_hinge - curtain)
    behind, across = du * normal[0] + dv * normal[1], du * along[0] + dv * along[1]
    sinus = uniform(0, 4) * np.exp(-(((behind - 10) / 7) ** 2)) + uniform(-0.15, 0.1) * np.maximum(
        behind - 15, 0
    )
    fill((behind > 0) & (across > -sinus) & (across < ring + sinus), blood * uniform(0.6, 1.6), 7)
    line = uniform(0.8, 2.0)
    for off, low in ((across + sinus, 0.9), (across - ring - sinus, 0.7)):
        fill((behind > -2) & (np.abs(off) < line), echo(low, 3.5))
    if rng.random() < 0.6:  # annulus: a bright knot where leaflet, wall and atrium meet
        knot = np.hypot(uu - posterior_hinge[0], vv - posterior_hinge[1]) < uniform(1.5, 4.5)
        fill(knot, echo(1.0, 5.0))
    base = heart.base_length
    if rng.random() < 0.75:  # right-ventricular outflow: a round dark hole above the basal septum
        centre_u = uniform(-0.4 * base, 1.1 * base)
        hole = uniform(7, 16)
        centre_v = (
            -(heart.cavity(np.asarray(centre_u), -1) + heart.wall(np.asarray(centre_u), -1))
            - hole
            - uniform(-2, 5)
        )
        distance = np.hypot(uu - centre_u, (vv - centre_v) * uniform(0.8, 1.3))
        fill(distance < hole, blood * uniform(0.6, 1.6), 1)
        # Its rim is bright only where the beam meets it squarely.
        rim = (distance >= hole) & (distance < hole + uniform(0.8, 3))
        fill(rim & (np.abs(vv - centre_v) > hole * uniform(0.0, 0.8)), echo(0.3, 1.8))
    if rng.random() < 0.5:  # descending aorta behind the atrium, outside the pericardium
        size = uniform(6, 13)
        behind_wall = vv - radius - heart.posterior - size - uniform(3, 20)
        distance = np.hypot(uu - heart.wall_end(+1) - uniform(0, 35), behind_wall)
        fill(distance < size, blood * uniform(0.6, 2))
        fill((distance >= size) & (distance < size + 2), echo(0.6, 2.5))


def _paint_cavity_contents(heart, rng, uu, vv, a, posterior, cavity, amplitude, echo) -> None:  # type: ignore[no-untyped-def]
    """Papillary muscle, chordae and trabeculae."""
    uniform = rng.uniform
    posterior_half = cavity & (vv > 0)
    fraction = a / np.maximum(posterior, 1e-3)
    if rng.random() < 0.6:  # papillary muscle: an island in the apical half
        centre_u, centre_f = -heart.apex_length * uniform(0.1, 0.6), uniform(0.55, 0.95)
        island = ((uu - centre_u) / uniform(7, 18)) ** 2 + (
            (fraction - centre_f) / uniform(0.12, 0.3)
        ) ** 2 < 1
        amplitude[posterior_half & island] = echo(0.1, 0.8)
    if rng.random() < 0.7:  # chordae and trabeculae lying on the wall
        layer = (
            posterior_half & (fraction > uniform(0.6, 0.93)) & (uu < heart.base_length * uniform(0.1, 0.8))
        )
        patchy = smooth_noise(rng, uu.shape, uniform(5, 24)) > uniform(-0.8, 0.8)
        amplitude[layer & patchy] = echo(0.06, 0.8)
    if rng.random() < 0.5:  # septal and apical trabeculae
        layer = cavity & (uu < -heart.apex_length * uniform(0.3, 0.9))
        patchy = smooth_noise(rng, uu.shape, uniform(5, 14)) > uniform(0.0, 1.0)
        amplitude[layer & patchy] = echo(0.06, 0.6)
    canvas = np.zeros(uu.shape, np.float32)
    for _ in range(rng.integers(0, 6)):  # single chordae: lines that run from muscle to leaflet
        start = (uniform(-0.6, 0.2) * heart.apex_length, uniform(0.3, 0.95) * heart.radius)
        end = (heart.base_length * uniform(0.1, 0.7), heart.radius * uniform(-0.1, 0.8))
        points = np.round((np.array([start, end]) - (U_RANGE[0], V_RANGE[0])) / GRID_MM).astype(np.int32)
        cv2.line(
            canvas,
            points[0].tolist(),
            points[1].tolist(),
            echo(0.1, 1.2),
            int(rng.integers(1, 4)),
            cv2.LINE_AA,
        )
    np.maximum(amplitude, np.where(cavity, canvas, 0), out=amplitude)


def _beam_angle_gain(heart, rng, uu, vv, beam) -> FloatArray:  # type: ignore[no-untyped-def]
    """Echo of a wall falls with the angle between beam and wall normal, here taken as that of the nearest border."""
    _, probe_u, probe_v = beam
    slope = np.gradient(heart.cavity(uu[0], 1), GRID_MM)
    normal_u, normal_v = -slope * np.sign(vv), np.sign(vv)
    direction = np.stack([uu - probe_u, vv - probe_v])
    cosine = np.abs(direction[0] * normal_u * np.sign(vv) + direction[1] * normal_v)
    cosine /= np.hypot(*direction) * np.hypot(normal_u, 1) + 1e-6
    floor = rng.uniform(0.1, 0.9)
    return (floor + (1 - floor) * cosine ** rng.uniform(1, 4)).astype(np.float32)
