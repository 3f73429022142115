"""What a report says, as text that HTML and PDF both lay out: nothing is worded or rounded twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from echo_keypoints.results import AnalysisResult
from echo_keypoints.writers.report.numbers import DASH, deviation, frame, number, quantity, seconds, span

NOTICE = (
    "For research use only. Not for clinical use, diagnosis or treatment. Not a medical device; not cleared by "
    "the FDA, not CE-marked. Measurements must be verified by a qualified reader."
)
COUNTING = "Frames and beats are counted from 1 here; result.json and curves.csv count from 0."
BEAT_INDICES = ("LVIDd", "LVIDs", "IVSd", "LVPWd", "FS")
"""What the table of beats shows of each beat."""

_HIGHLIGHTS = ("LVIDd", "LVIDs", "IVSd", "LVPWd", "FS", "LVM", "LVMI", "RWT", "geometry")
_GROUPS = (
    ("Dimensions", ("mm", "cm", "cm/m2")),
    ("Mass and volumes", ("g", "g/m2", "g/m2.7", "mL")),
    ("Function", ("%",)),
    ("Timing and rates", ("ms", "cm/s", "1/s", "circ/s")),
)
_REST = "Geometry"
_SOURCES = {
    "ecg_r": "R wave of the ECG",
    "max_lvid": "largest LVID",
    "min_lvid": "smallest LVID",
    "clip_end": "end of the clip",
    "avc_user": "aortic valve closure, set by a person",
    "user": "set by a person",
}
_TRAIL_LETTERS = 160
_KEYS = {"bsa_dubois_m2": "BSA, DuBois (m²)", "bsa_mosteller_m2": "BSA, Mosteller (m²)"}


@dataclass(frozen=True)
class Flag:
    """What a named table of reference values says of a measurement; `direction` is ``above``, ``below`` or none."""

    table: str
    grade: str
    limits: str
    normal: bool
    direction: str


@dataclass(frozen=True)
class Row:
    """A measurement: `value` has its unit; `basis` is its SD over how many beats."""

    name: str
    label: str
    value: str
    basis: str
    interval: str
    flags: tuple[Flag, ...]
    note: str
    source: str


@dataclass(frozen=True)
class Group:
    """Measurements of one kind."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Beat:
    """A beat: its frames and times, its values in the order of `BEAT_INDICES`, and why it was not used."""

    number: str
    ed: str
    es: str
    next_ed: str
    rr: str
    values: tuple[str, ...]
    confidence: str
    use: str
    accepted: bool
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """A check of the quality; `level` is ``ok``, ``warn`` or ``fail``."""

    name: str
    level: str
    value: str
    limit: str
    text: str


@dataclass(frozen=True)
class Content:
    """All that a report says.

    Attributes:
        source: base name of the clip.
        subtitle: what was analysed, in a line.
        grade: of the quality, in a word or two.
        measurable: whether values may be given at all.
        reasons: of the grade.
        heart_rate: with its unit, or a dash.
        highlights: the measurements that are read first.
        groups: all measurements.
        missing: why measurements are not given → their names.
        beats: used and rejected.
        times_known: whether moments are told in seconds, too.
        checks: of the quality.
        facts: heading → pairs of label and value: clip, scale and time, conventions, software.
        models: file → SHA-256.
        warnings: sentences.
        flags_note: why values are not compared with reference tables, or nothing.
        audit: when, who, what, old and new value, why; oldest first.
    """

    source: str
    subtitle: str
    grade: str
    measurable: bool
    reasons: tuple[str, ...]
    heart_rate: str
    highlights: tuple[Row, ...]
    groups: tuple[Group, ...]
    missing: tuple[tuple[str, str], ...]
    beats: tuple[Beat, ...]
    times_known: bool
    checks: tuple[Check, ...]
    facts: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    models: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    flags_note: str
    audit: tuple[tuple[str, str, str, str, str], ...]


def report_content(result: AnalysisResult) -> Content:
    """Word a result. Results that were not measured yet give a report without measurements."""
    measurements, quality = result.measurements, result.quality
    indices = measurements.get("indices") or {}
    by_name = {name: _row(name, index) for name, index in indices.items()}
    if measurements.get("geometry"):
        by_name["geometry"] = _geometry(measurements["geometry"])
    rate = measurements.get("heart_rate_bpm")
    notes = [_sentence(measurements[key]) for key in ("rhythm_note", "beats_note") if measurements.get(key)]
    flags_note = measurements.get("flags_note")
    return Content(
        source=result.clip.source,
        subtitle="Parasternal long axis · linear dimensions of the left ventricle · 2D",
        grade=str(quality.get("grade") or "not assessed"),
        measurable=bool(quality.get("measurable", True)),
        reasons=tuple(map(str, quality.get("reasons") or ())),
        heart_rate=quantity(rate, "bpm"),
        highlights=tuple(by_name[name] for name in _HIGHLIGHTS if name in by_name),
        groups=tuple(_groups(indices, by_name)),
        missing=_by_reason(measurements.get("missing") or {}),
        beats=tuple(_beat(beat, indices, result.clip.times_known) for beat in result.beats),
        times_known=result.clip.times_known,
        checks=tuple(_check(check) for check in quality.get("checks") or ()),
        facts=tuple(_facts(result)),
        models=tuple(sorted(result.models.items())),
        warnings=(*result.warnings, *notes),
        flags_note=_sentence(flags_note) if flags_note else "",
        audit=tuple(
            (entry.when, entry.who, entry.what, f"{_brief(entry.old)} → {_brief(entry.new)}", entry.reason)
            for entry in result.audit
        ),
    )


def remarks(content: Content) -> tuple[str, ...]:
    """Give what a reader must know before any number; all reasons where the quality is poor or worse."""
    reasons = content.reasons if content.grade in ("poor", "not measurable") else ()
    warnings = [w for w in content.warnings if not any(w.strip(".").lower() in r.lower() for r in reasons)]
    return (*reasons, *warnings)


def telling(flags: tuple[Flag, ...]) -> tuple[Flag, ...]:
    """Give the first flag for all, or every flag where the tables do not agree."""
    return flags if len({flag.grade for flag in flags}) > 1 else flags[:1]


def _by_reason(missing: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    names: dict[str, list[str]] = {}
    for name, reason in missing.items():
        names.setdefault(_sentence(reason), []).append(name)
    return tuple((reason, ", ".join(members)) for reason, members in names.items())


def _row(name: str, index: Mapping[str, Any]) -> Row:
    unit = index.get("unit")
    interval = index.get("interval")
    return Row(
        name=name,
        label=str(index.get("label") or name),
        value=quantity(index.get("value"), unit),
        basis=_basis(index.get("sd"), index.get("n"), unit),
        interval=f"readers' ± 1 SD: {span(interval[0], interval[1], unit)}" if interval else "",
        flags=tuple(_flag(flag, unit) for flag in index.get("flags") or ()),
        note=str(index.get("note") or ""),
        source=str(index.get("source") or ""),
    )


def _basis(sd: float | None, count: int | None, unit: str | None) -> str:
    if not count:
        return ""
    spread = "" if sd is None else f"SD {deviation(sd, unit)} · "
    return spread + ("single beat" if count == 1 else f"{count} beats")


def _geometry(shape: Mapping[str, Any]) -> Row:
    near = ", ".join(shape.get("within_error") or ())
    limits = f"limits: LVMI {number(shape.get('lvmi_limit'))} g/m², RWT {number(shape.get('rwt_limit'), '1')}"
    return Row(
        name="Geometry",
        label="Geometry",
        value=str(shape["class"]),
        basis="borderline" if shape.get("borderline") else "",
        interval="",
        flags=(),
        note=f"borderline: within the error also {near}; {limits}" if near else limits,
        source=str(shape.get("source") or ""),
    )


def _flag(flag: Mapping[str, Any], unit: str | None) -> Flag:
    grade = str(flag.get("grade") or "")
    limits = span(flag.get("low"), flag.get("high"), unit)
    direction = next((word for word in ("below", "above") if word in grade), "")
    return Flag(str(flag["table"]), grade, limits, grade == "normal", direction)


def _groups(indices: Mapping[str, Mapping[str, Any]], rows: Mapping[str, Row]) -> Iterator[Group]:
    """Sort measurements by what their unit says that they are."""
    groups: dict[str, list[Row]] = {title: [] for title in (*(title for title, _ in _GROUPS), _REST)}
    kinds = {unit: title for title, units in _GROUPS for unit in units}
    for name, row in rows.items():
        groups[kinds.get(str(indices.get(name, {}).get("unit")), _REST)].append(row)
    for title, members in groups.items():
        if members:
            yield Group(title, tuple(members))


def _beat(beat: Mapping[str, Any], indices: Mapping[str, Mapping[str, Any]], times_known: bool) -> Beat:
    values = beat.get("indices") or {}
    return Beat(
        number=frame(beat["index"]),
        ed=_at(beat["ed_frame"], beat.get("ed_time_s") if times_known else None),
        es=_at(beat.get("es_frame"), beat.get("es_time_s") if times_known else None),
        next_ed=frame(beat.get("next_ed_frame")),
        rr=quantity(beat.get("rr_ms"), "ms"),
        values=tuple(number(values.get(n), (indices.get(n) or {}).get("unit", "mm")) for n in BEAT_INDICES),
        confidence=number(beat.get("confidence"), "1"),
        use=("used" if beat["accepted"] else "rejected") + (", by a person" if beat.get("decision") else ""),
        accepted=bool(beat["accepted"]),
        remarks=tuple(
            _sentence(remark) for remark in (*(beat.get("reasons") or ()), *(beat.get("warnings") or ()))
        ),
    )


def _at(index: int | None, time_s: float | None) -> str:
    return DASH if index is None else frame(index) + ("" if time_s is None else f" · {seconds(time_s)}")


def _check(check: Mapping[str, Any]) -> Check:
    unit, value, limit = check.get("unit"), check.get("value"), check.get("limit")
    return Check(
        name=str(check["name"]).replace("_", " "),
        level=str(check["level"]),
        value="" if value is None else quantity(_whole(value), unit),
        limit="" if limit is None else quantity(_whole(limit), unit),
        text=str(check.get("text") or ""),
    )


def _whole(value: float) -> float:
    """Give a whole number as such: counts are written without decimals."""
    return int(value) if float(value).is_integer() else value


def _facts(result: AnalysisResult) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    clip, facts = result.clip, result.clip.metadata
    machine = " ".join(str(facts[key]) for key in ("manufacturer", "model") if facts.get(key))
    pairs = [("File", clip.source), ("SHA-256", result.clip_sha256 or "no single file")]
    pairs += [("Frames", f"{clip.frame_count} of {clip.width} × {clip.height} pixels")]
    if clip.times_known and clip.frame_count > 1:
        duration = float(clip.frame_times_s[-1])
        rate = (clip.frame_count - 1) / duration
        pairs += [("Duration", f"{duration:.2f} s"), ("Frame rate", f"{rate:.1f} frames/s")]
    if machine:
        pairs.append(("Machine", machine))
    yield "Clip", tuple(pairs)
    yield "Scale and time", tuple(_scale(result))
    people = {key: value for key, value in (result.measurements.get("patient") or {}).items() if value}
    if people:
        yield (
            "Patient, as given",
            tuple(
                (_words(key), value if isinstance(value, str) else f"{value:.4g}")
                for key, value in people.items()
            ),
        )
    conventions = dict(result.measurements.get("conventions") or {})
    conventions.pop("indices", None)  # the table of measurements and the reasons name them all
    for moment in ("ed", "es"):
        used = {
            beat[f"{moment}_source"]: None for beat in result.beats if beat.get(f"{moment}_frame") is not None
        }
        if used:
            conventions[f"{moment.upper()} frames"] = ", ".join(_SOURCES.get(name, name) for name in used)
    if conventions:
        yield "Conventions", tuple((_words(key), _brief(value)) for key, value in conventions.items())
    yield (
        "Analysis",
        (
            ("Software", f"echo-keypoints {result.software}, {result.backend}"),
            ("Analysed", result.created_utc),
            ("Reference frame", f"{frame(result.reference_frame)} ({result.reference_mode})"),
            ("Refinements", str(result.iterations)),
            ("Frames set by a person", ", ".join(frame(a.frame) for a in result.anchors) or "none"),
        ),
    )


def _scale(result: AnalysisResult) -> Iterator[tuple[str, str]]:
    clip = result.clip
    if clip.spacing_mm is None:
        yield "Scale", "unknown: lengths are in pixels"
    else:
        sx, sy = clip.spacing_mm
        both = (
            f"{sx:.4f} mm per pixel" if abs(sx - sy) < 1e-6 else f"{sx:.4f} × {sy:.4f} mm per pixel (x × y)"
        )
        yield "Scale", both
    yield "Source of the scale", clip.spacing_source
    known = result.clip.times_known
    yield "Source of the times", clip.times_source if known else f"{clip.times_source}: assumed, not measured"
    if source := clip.metadata.get("r_wave_source"):
        yield "Source of the R waves", str(source)


def _words(key: str) -> str:
    """Turn a field's name into words, e.g. ``height_cm`` into ``Height (cm)``."""
    if key in _KEYS:
        return _KEYS[key]
    text, _, unit = key.rpartition("_")
    text = f"{text} ({unit})" if unit in ("cm", "kg", "years") else key
    return _sentence(text.replace("_", " "), end="")


def _sentence(text: Any, end: str = ".") -> str:
    """Begin with a capital letter and end with a stop."""
    words = str(text)
    return words[:1].upper() + words[1:] + ("" if words.endswith(end) else end)


def _brief(value: Any) -> str:
    """Write plain data in a few words."""
    if value is None:
        return DASH
    text = (
        value
        if isinstance(value, str)
        else ", ".join(map(str, value))
        if isinstance(value, list)
        else json.dumps(value, ensure_ascii=False)
    )
    return text if len(text) <= _TRAIL_LETTERS else text[: _TRAIL_LETTERS - 1] + "…"
