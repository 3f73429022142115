"""From what ``--studies`` names to a catalogue."""

from __future__ import annotations

from pathlib import Path

from lib.catalogue import Catalogue, FolderCatalogue
from lib.settings import Settings, SettingsError


def open_catalogue(studies: str, settings: Settings) -> Catalogue:
    """Open a folder of clips, or a DICOMweb server.

    Args:
        studies: path or address.
        settings: of the server.

    Raises:
        SettingsError: there is no such folder or server.
    """
    if studies.startswith(("http://", "https://")):
        from lib.dicomweb import DicomWebCatalogue

        return DicomWebCatalogue.open(studies, settings)
    folder = Path(studies).expanduser()
    if not folder.is_dir():
        raise SettingsError(f"{folder.name} is no folder; give the folder of the clips as --studies.")
    return FolderCatalogue(folder, settings.state)
