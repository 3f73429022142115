"""From tracks to measures: lengths of septum, cavity and posterior wall."""

from echo_keypoints.biomarkers.lengths import SegmentLength, measure_lengths

__all__ = ["SegmentLength", "measure_lengths"]
