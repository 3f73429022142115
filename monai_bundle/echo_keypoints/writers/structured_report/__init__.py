"""DICOM Structured Reports: TID 1500 (Comprehensive SR) and TID 5300 (Simplified Adult Echo SR).

Both are written from one list of findings (`findings`), by pydicom alone.
"""

from echo_keypoints.writers.structured_report.document import TEMPLATES, write_sr

__all__ = ["TEMPLATES", "write_sr"]
