"""The versioned result of an analysis: `AnalysisResult` in memory, ``result.json`` on disk."""

from echo_keypoints.results.codec import (
    SCHEMA_VERSION,
    from_document,
    header_from_document,
    header_to_document,
    plain,
    schema,
    to_document,
)
from echo_keypoints.results.files import atomic_path, clip_digest, file_digest
from echo_keypoints.results.origin import landmark_origins
from echo_keypoints.results.result import AnalysisResult, AuditEntry, utc_now
from echo_keypoints.results.store import RESULT_NAME, claim_folder, clip_stem, load_result, save_result

__all__ = [
    "RESULT_NAME",
    "SCHEMA_VERSION",
    "AnalysisResult",
    "AuditEntry",
    "atomic_path",
    "claim_folder",
    "clip_digest",
    "clip_stem",
    "file_digest",
    "from_document",
    "header_from_document",
    "header_to_document",
    "landmark_origins",
    "load_result",
    "plain",
    "save_result",
    "schema",
    "to_document",
    "utc_now",
]
