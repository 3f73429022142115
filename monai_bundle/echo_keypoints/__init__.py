"""EchoKeypoints: track the left ventricle through time in PLAX echocardiograms.

The data flows one way: clip → detect → track → measure → report. Each step is a
sub-package of that name's kind; see ``docs/developer.md`` for the map. For research use only.
"""

from echo_keypoints._version import __version__

__all__ = ["__version__"]
