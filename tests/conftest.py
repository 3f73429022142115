"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real clips, which are not in the repository: ECHO_KEYPOINTS_DATA, else ../shared/data."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ECHO_KEYPOINTS_DATA", default))
    if not (folder / "MANIFEST.csv").is_file():
        pytest.skip("the real clips are not here; set ECHO_KEYPOINTS_DATA to their folder")
    return folder
