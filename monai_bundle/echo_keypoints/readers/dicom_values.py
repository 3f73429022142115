"""Numbers of DICOM elements, as odd as real files hold them."""

from __future__ import annotations

from pydicom.dataset import Dataset


def numbers(header: Dataset, name: str) -> list[float]:
    """Give an element's values as floats; empty where it is absent, empty or not numeric."""
    try:
        value = header.get(name)
        if value is None or isinstance(value, str):
            return []
        return [float(item) for item in value] if hasattr(value, "__iter__") else [float(value)]
    except (TypeError, ValueError):
        return []
