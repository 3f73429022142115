"""Stand-ins for the parts of Slicer that PyPI's ``slicer-core`` does not have: everything Qt.

``install()`` makes ``qt``, ``ctk``, the few ``qMRML`` widgets, ``slicer.app`` and Slicer's scripted-module base classes
importable. They are ours, written from the documented behaviour, and hold only what this extension uses; `names`
lists that and where each name is declared. The MRML classes below them are the real ones.
"""

from stand_in.application import install

__all__ = ["install"]
