"""The report of one clip: ``report.html`` for the browser and ``report.pdf`` for the file, from the same words."""

from echo_keypoints.writers.report.report import Report, read_report

__all__ = ["Report", "read_report"]
