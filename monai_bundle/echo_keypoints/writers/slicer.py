"""Files that 3D Slicer loads: landmarks of a frame, landmarks over time, the cine.

All lie in one space: LPS mm = pixel index × spacing, the slice at S = 0, as Slicer's own importer of ultrasound
puts it. Where the scale is unknown a pixel takes the place of a millimetre.
"""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from echo_keypoints.anatomy import LANDMARKS
from echo_keypoints.clip import ClipHeader, ClipSource
from echo_keypoints.results import AnalysisResult, atomic_path

MARKUPS_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
_NAME = "EchoKeypoints landmarks"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file knows; the same result gives the same file


def write_markups(result: AnalysisResult, frame: int, path: Path) -> None:
    """Write the landmarks of one frame as a point list (``.mrk.json``).

    Args:
        result: of the clip.
        frame: counted from 0.
        path: file to write.

    Raises:
        OSError: the folder cannot be written to.
    """
    with atomic_path(path) as part:
        part.write_text(json.dumps(_markups(result, frame), indent=1) + "\n", encoding="utf-8")


def write_landmark_sequence(result: AnalysisResult, path: Path) -> None:
    """Write the landmarks of all frames as a sequence of point lists over time in seconds (``.seq.mrb``).

    The bundle is a zip of one ``.mrk.json`` a frame and of the scene that puts them in order.

    Raises:
        OSError: the folder cannot be written to.
    """
    root = path.name.split(".")[0] or "landmarks"
    with atomic_path(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as bundle:
        for frame in range(result.clip.frame_count):
            text = json.dumps(_markups(result, frame), separators=(",", ":"))
            _add(bundle, f"{root}.seq/Data/{_file_name(frame)}", text)
        _add(bundle, f"{root}.seq/{root}.mrml", _scene(result))


def write_image_sequence(header: ClipHeader, source: ClipSource, path: Path) -> None:
    """Write the grey frames as a sequence of slices over time in seconds (``.seq.nrrd``), frame by frame.

    Args:
        header: times, size and scale; those of a result, so that landmarks and image agree.
        source: the clip.
        path: file to write.

    Raises:
        OSError: the folder cannot be written to.
    """
    sx, sy = header.spacing_mm or (1.0, 1.0)
    lines = [
        "NRRD0005",
        "# For research use only",
        "type: unsigned char",
        "dimension: 4",
        "space: left-posterior-superior",
        f"sizes: {header.width} {header.height} 1 {header.frame_count}",
        f"space directions: ({sx:.12g},0,0) (0,{sy:.12g},0) (0,0,1) none",
        "kinds: domain domain domain list",
        'labels: "" "" "" "time"',
        'units: "" "" "" "s"',  # Slicer refuses the file if the other axes have one
        "encoding: gzip",
        "space origin: (0,0,0)",
        "DataNodeClassName:=vtkMRMLScalarVolumeNode",
        "axis 3 index type:=numeric",
        "axis 3 index values:=" + " ".join(_index_values(header)),
    ]
    with atomic_path(path) as part, part.open("wb") as stream:
        stream.write(("\n".join(lines) + "\n\n").encode("ascii"))
        with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=5, mtime=0, filename="") as packed:
            for frame in source.frames():
                packed.write(np.ascontiguousarray(frame).tobytes())


def _markups(result: AnalysisResult, frame: int) -> dict[str, Any]:
    """Give the landmarks of a frame as a Slicer markups document; what is not measurable is *missing*."""
    sx, sy = result.clip.spacing_mm or (1.0, 1.0)
    points = []
    for number, landmark in enumerate(LANDMARKS):
        x, y = result.points_px[frame, number]
        confidence = result.confidence[frame, number]
        seen = bool(np.isfinite(x) and np.isfinite(y))
        points.append(
            {
                "id": str(number + 1),
                "label": landmark.name,
                "description": f"confidence {confidence:.2f}" if np.isfinite(confidence) else "",
                "associatedNodeID": "",
                # Slicer writes an empty text where there is no position.
                "position": [round(x * sx, 5), round(y * sy, 5), 0.0] if seen else "",
                "orientation": [-1.0, -0.0, -0.0, -0.0, -1.0, -0.0, 0.0, 0.0, 1.0],
                "selected": True,
                "locked": False,
                "visibility": True,
                "positionStatus": "defined" if seen else "missing",
            }
        )
    point_list = {
        "type": "Fiducial",
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "locked": False,
        "fixedNumberOfControlPoints": True,
        "labelFormat": "%N-%d",
        "lastUsedControlPointNumber": len(LANDMARKS),
        "controlPoints": points,
        "measurements": [],
    }
    return {"@schema": MARKUPS_SCHEMA, "markups": [point_list]}


def _scene(result: AnalysisResult) -> str:
    """Give the MRML scene of a landmark sequence: a node and its file for every frame, and their times."""
    nodes, values = [], []
    for frame, value in enumerate(_index_values(result.clip)):
        node, storage = f"vtkMRMLMarkupsFiducialNode{frame + 1}", f"vtkMRMLMarkupsJsonStorageNode{frame + 1}"
        values.append(f"{node}:{value}")
        nodes.append(
            f'<MarkupsFiducial id="{node}" name={quoteattr(_NAME)} hideFromEditors="false" '
            f'attributes="Sequences.BaseName:{_NAME}" references="storage:{storage};"></MarkupsFiducial>'
        )
        nodes.append(
            f'<MarkupsJsonStorage id="{storage}" name="MarkupsJsonStorage" hideFromEditors="true" '
            f'fileName="Data/{_file_name(frame)}" useCompression="1" coordinateSystem="LPS"></MarkupsJsonStorage>'
        )
    sequence = (  # Slicer looks for the sequence by this tag
        f'<Sequence id="vtkMRMLSequenceNodeSequenceIndex" name={quoteattr(_NAME)} hideFromEditors="false" '
        f'singletonTag="SequenceIndex" indexName="time" indexUnit="s" indexType="numeric" '
        f'numericIndexValueTolerance="0.00001" '
        f'indexValues="{";".join(values)}"></Sequence>'
    )
    body = "\n".join([*nodes, sequence])
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<MRML version="EchoKeypoints">\n{body}\n</MRML>\n'


def _index_values(header: ClipHeader) -> list[str]:
    """Give the times as text: the same in all sequences, which Slicer matches by it."""
    return [f"{time_s:.6f}" for time_s in header.frame_times_s]


def _file_name(frame: int) -> str:
    return f"landmarks_{frame:05d}.mrk.json"


def _add(bundle: zipfile.ZipFile, name: str, text: str) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    bundle.writestr(info, text)
