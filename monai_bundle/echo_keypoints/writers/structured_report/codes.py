"""Coded concepts of the reports (PS3.16; LOINC and SNOMED CT codes are cited, the terminologies not shipped)."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """A coded concept: value, scheme and meaning."""

    value: str
    scheme: str
    meaning: str


PRIVATE_SCHEME = "99ECHOKEYPOINTS"
"""Scheme of the indices that no public terminology of PS3.16 has; their values are our stable names."""

LANGUAGE = Code("121049", "DCM", "Language of Content Item and Descendants")
ENGLISH = Code("en-US", "RFC5646", "English (United States)")
OBSERVER_TYPE = Code("121005", "DCM", "Observer Type")
DEVICE = Code("121007", "DCM", "Device")
DEVICE_UID = Code("121012", "DCM", "Device Observer UID")
DEVICE_NAME = Code("121013", "DCM", "Device Observer Name")
DEVICE_MODEL = Code("121015", "DCM", "Device Observer Model Name")
COMMENT = Code("121106", "DCM", "Comment")
SOURCE_OF_MEASUREMENT = Code("121112", "DCM", "Source of Measurement")
DERIVATION = Code("121401", "DCM", "Derivation")
MEAN = Code("373098007", "SCT", "Mean")
STANDARD_DEVIATION = Code("386136009", "SCT", "Standard Deviation")
FINDING_SITE = Code("363698007", "SCT", "Finding Site")
MEASUREMENT_METHOD = Code("370129005", "SCT", "Measurement Method")
LEFT_VENTRICLE = Code("87878005", "SCT", "Left ventricle")
SEPTUM = Code("589001", "SCT", "Interventricular septum")

_CUBE = Code("125206", "DCM", "Cube Method")
_TEICHHOLZ = Code("125209", "DCM", "Teichholz")

ECHO_CONCEPTS = {
    "IVSd": Code("79969-2", "LN", "Interventricular septum diastolic dimension 2D"),
    "IVSs": Code("79971-8", "LN", "Interventricular septum systolic dimension 2D"),
    "LVIDd": Code("80007-8", "LN", "Left ventricular internal diastolic dimension - 2D"),
    "LVIDs": Code("80011-0", "LN", "Left ventricular internal systolic dimension - 2D"),
    "LVPWd": Code("80031-8", "LN", "Left ventricular posterior wall diastolic thickness"),
    "LVPWs": Code("80033-4", "LN", "Left ventricular posterior wall systolic thickness"),
    "FS": Code("29434-8", "LN", "Left ventricular fractional shortening (of minor axis) (2D)"),
    "EF_Teichholz": Code("77891-0", "LN", "Left ventricular EF Teichholz 2D"),
    "LVM": Code("80019-3", "LN", "Left ventricular mass dimension method 2D"),
    "LVMI": Code("80020-1", "LN", "Left ventricular mass dimension method / BSA 2D"),
    "LVM_h27": Code("80021-9", "LN", "Left ventricular mass dimension method / height^2.7 2D"),
    "LVIDd_BSA": Code("80009-4", "LN", "Left ventricular internal diastolic dimension / BSA 2D"),
    "LVIDs_BSA": Code("80013-6", "LN", "Left ventricular internal systolic dimension / BSA 2D"),
}
"""Name of an index → its code in CID 12300, all of 2-D images."""

_OTHER_CONCEPTS = {
    "HR": Code("8867-4", "LN", "Heart rate"),
    "RR": Code("122182", "DCM", "R-R interval"),
}

METHODS = {
    "EF_Teichholz": _TEICHHOLZ,
    "EDV_Teichholz": _TEICHHOLZ,
    "ESV_Teichholz": _TEICHHOLZ,
    "SV_Teichholz": _TEICHHOLZ,
    "LVM": _CUBE,
    "LVMI": _CUBE,
    "LVM_h27": _CUBE,
}
"""Name of an index → how it is computed, where PS3.16 has a code for that."""

_UNITS = {
    "bpm": Code("{H.B.}/min", "UCUM", "heart beats per minute"),
    "%": Code("%", "UCUM", "percent"),
    "1": Code("1", "UCUM", "no units"),
    "": Code("1", "UCUM", "no units"),
    "circ/s": Code("{circ}/s", "UCUM", "circumferences per second"),
}
_UCUM = frozenset({"mm", "cm", "g", "g/m2", "mL", "mL/m2", "ms", "s", "cm/s", "mm/s", "mm/m2", "cm/m2", "/s"})


def concept(name: str, label: str) -> Code:
    """Give the code of an index: the public one, else a private one with its stable name as value."""
    return ECHO_CONCEPTS.get(name) or _OTHER_CONCEPTS.get(name) or Code(name, PRIVATE_SCHEME, label[:64])


def unit(text: str) -> Code:
    """Give the UCUM code of a unit; what UCUM cannot say becomes an annotation in braces."""
    plain = text.replace("²", "2").replace("1/s", "/s")
    return _UNITS.get(plain) or Code(plain if plain in _UCUM else f"{{{plain}}}", "UCUM", text)
