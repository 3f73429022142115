"""The entry for Slicer's ExtensionsIndex: its addresses, and the fields of its schema."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_addresses_are_those_of_one_repository_and_name_files_that_exist():
    entry = json.loads((ROOT / "docs" / "EchoKeypoints.json").read_text())
    cmake = (ROOT / "CMakeLists.txt").read_text()
    repository = entry["scm_url"].removeprefix("https://github.com/").removesuffix(".git")
    assert re.fullmatch(r"[\w-]+/[\w.-]+", repository)
    assert f'(EXTENSION_HOMEPAGE "https://github.com/{repository}")' in cmake
    for name in ("ICONURL", "SCREENSHOTURLS"):
        for url in re.search(rf'EXTENSION_{name} "([^"]+)"', cmake)[1].split():
            start = f"https://raw.githubusercontent.com/{repository}/{entry['scm_revision']}/"
            assert url.startswith(start) and (ROOT / url.removeprefix(start)).is_file(), url
    guide = (ROOT / "docs" / "slicer.md").read_text()
    assert guide.count(repository) == 1  # where it says what to replace


def test_catalogue_entry_is_one_of_its_schema():
    """The fields, categories and rules of Slicer's schema v1.0.2, as far as the entry uses them."""
    text = (ROOT / "docs" / "EchoKeypoints.json").read_bytes()
    entry = json.loads(text)
    assert {"$schema", "category", "scm_url"} <= set(entry) and b"\r" not in text
    assert set(entry) <= {
        *("$schema", "category", "scm_url", "scm_revision", "scm_type", "build_dependencies"),
        *("build_subdirectory", "enabled", "tier", "dicom_support_rule"),
    }
    assert entry["tier"] in (1, 3, 5) and "v1.0.2" in entry["$schema"]
