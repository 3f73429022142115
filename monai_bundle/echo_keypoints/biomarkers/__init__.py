"""From tracks to measures: lengths, beats, indices, quality."""

from echo_keypoints.biomarkers.lengths import SegmentLength, measure_lengths
from echo_keypoints.biomarkers.measure import measure
from echo_keypoints.biomarkers.patient import Patient

__all__ = ["Patient", "SegmentLength", "measure", "measure_lengths"]
