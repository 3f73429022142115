"""The four landmarks and the three lengths between them. Said once, used everywhere.

Order is the order along the measuring line, from the right ventricle to the pericardium:
SEpP, SEnP, PEnP, PEpP. A set of landmarks is an array ``(4, 2)`` of ``(x, y)``.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Landmark:
    """One key-point: short name, full name, and the colour (R, G, B, 0..255) it has in every output."""

    name: str
    title: str
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class Segment:
    """One length: short name, full name, colour, and the indices of the landmarks at its two ends."""

    name: str
    title: str
    colour: tuple[int, int, int]
    start: int
    end: int


LANDMARKS = (
    Landmark("SEpP", "septal epicardial point", (255, 92, 92)),
    Landmark("SEnP", "septal endocardial point", (255, 205, 60)),
    Landmark("PEnP", "posterior-wall endocardial point", (64, 220, 130)),
    Landmark("PEpP", "posterior-wall epicardial point", (86, 170, 255)),
)
LANDMARK_NAMES = tuple(landmark.name for landmark in LANDMARKS)

SEGMENTS = (
    Segment("IVS", "interventricular septum", (255, 148, 76), 0, 1),
    Segment("LVID", "left ventricular internal dimension", (240, 240, 240), 1, 2),
    Segment("LVPW", "left ventricular posterior wall", (76, 196, 196), 2, 3),
)
SEGMENT_NAMES = tuple(segment.name for segment in SEGMENTS)

TISSUES = ("background", "RV", "septum", "LV", "posterior wall", "pericardium", "LA", "aorta")
"""What surrounds the landmarks; a label map holds indices into this."""
