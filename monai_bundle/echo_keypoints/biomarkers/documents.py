"""Beats to and from the plain data of ``result.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from echo_keypoints.biomarkers.beats import Beat, Event
from echo_keypoints.biomarkers.indices import INDICES, Missing, Quantity
from echo_keypoints.biomarkers.judgement import Verdict

_BY_A_PERSON = ("user", "avc_user")


def beat_document(
    index: int,
    beat: Beat,
    verdict: Verdict,
    quantities: Mapping[str, Quantity],
    earlier: Mapping[str, Any],
) -> dict[str, Any]:
    """Give a beat as plain data.

    Args:
        index: its number in the clip, from 0.
        beat: its events.
        verdict: on it.
        quantities: its quantities and indices.
        earlier: the same beat before, whose decision and automatic frames are kept; empty if it
            is new.
    """
    decision = earlier.get("decision")
    es, next_ed, rr = beat.es, beat.next_ed, quantities["RR"]
    return {
        "index": index,
        "ed_frame": beat.ed.frame,
        "es_frame": es and es.frame,
        "next_ed_frame": next_ed and next_ed.frame,
        "ed_time_s": round(beat.ed.time_s, 6),
        "es_time_s": es and round(es.time_s, 6),
        "next_ed_time_s": next_ed and round(next_ed.time_s, 6),
        "rr_ms": None if isinstance(rr, Missing) else round(rr, 2),
        "complete": es is not None and next_ed is not None and es.frame > beat.ed.frame,
        "ed_source": beat.ed.source,
        "es_source": "min_lvid" if es is None else es.source,
        "next_ed_source": next_ed and next_ed.source,
        "accepted": not verdict.reasons if decision is None else decision == "accepted",
        "reasons": list(verdict.reasons),
        "warnings": list(verdict.warnings),
        "confidence": None if verdict.confidence is None else round(verdict.confidence, 4),
        "indices": {i.name: None if isinstance(q := quantities[i.name], Missing) else q for i in INDICES},
        "decision": decision,
        "automatic": earlier.get("automatic"),
    }


def beat_of(document: Mapping[str, Any]) -> Beat:
    """Read the events of a beat back."""

    def event(name: str) -> Event | None:
        if document[f"{name}_frame"] is None:
            return None
        return Event(
            int(document[f"{name}_frame"]), float(document[f"{name}_time_s"]), str(document[f"{name}_source"])
        )

    ed = event("ed")
    assert ed is not None
    return Beat(ed, event("es"), event("next_ed"))


def is_edited(beats: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether a person changed or judged any of the beats."""
    return any(
        beat["decision"] is not None
        or any(beat[f"{name}_source"] in _BY_A_PERSON for name in ("ed", "es", "next_ed"))
        for beat in beats
    )


def unmeasured_beat() -> dict[str, Any]:
    """Give the fields of a beat that hold its events and decisions, all of them unset."""
    events = {
        f"{name}_{what}": None for name in ("ed", "es", "next_ed") for what in ("frame", "time_s", "source")
    }
    return {**events, "es_source": "min_lvid", "decision": None, "automatic": None}
