"""Results as they travel between processes: the content of ``result.json``."""

from __future__ import annotations

import json

from echo_keypoints.errors import QueryError
from echo_keypoints.results import AnalysisResult, from_document


def result_from_text(text: str) -> AnalysisResult:
    """Read a result.

    Raises:
        QueryError: the text is no result.
    """
    try:
        return from_document(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise QueryError(f"The result that was sent is damaged ({error}); analyse the clip again.") from None
