"""How good: metrics, classical trackers to compare with, test sets, and the table of ``evaluate``.

Everything here works in model space (224 × 224, pixel centres at integers). Nothing is imported eagerly:
the metrics need numpy only, the peers OpenCV, our own trackers a back end of `tracking`.
"""
