"""What the user typed, kept in the scene."""

from pathlib import Path
from typing import Annotated

from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper


@parameterNodeWrapper
class EchoKeypointsParameterNode:
    """Each is bound to the widget that names it as its ``SlicerParameterName``."""

    reader: str = "reader"
    serverUrl: str = "http://127.0.0.1:8000"
    distance: Annotated[float, WithinRange(1, 400)] = 50.0
    folder: Path = Path()
    clips: Path = Path()
    results: Path = Path()
