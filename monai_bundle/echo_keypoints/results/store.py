"""``result.json`` on disk: written whole, read with care, never over another clip's."""

from __future__ import annotations

import json
from pathlib import Path

from echo_keypoints.errors import ResultError
from echo_keypoints.results.codec import from_document, to_document
from echo_keypoints.results.files import atomic_path
from echo_keypoints.results.result import AnalysisResult, utc_now

RESULT_NAME = "result.json"
_SIZE_LIMIT = 1 << 30  # a result of 100,000 frames takes some 50 MB


def load_result(path: str | Path) -> AnalysisResult:
    """Read a ``result.json``.

    Args:
        path: the file, or the folder that holds it.

    Raises:
        ResultError: the file is missing, damaged, or not a result of EchoKeypoints.
    """
    path = Path(path)
    path = path / RESULT_NAME if path.is_dir() else path
    try:
        if path.stat().st_size > _SIZE_LIMIT:
            raise ValueError("it is larger than any result")
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
        if not isinstance(document, dict) or "schema_version" not in document:
            raise ValueError("it is not a result of EchoKeypoints")
        return from_document(document)
    except FileNotFoundError:
        raise ResultError(f"{path.name}: there is no such file; analyse the clip first.") from None
    except KeyError as error:
        problem = f"it lacks {error}"
    except (OSError, ValueError, TypeError, IndexError, AttributeError, RecursionError) as error:
        problem = _first_line(error)
    raise ResultError(f"{path.name} cannot be used as a result ({problem}); analyse the clip again.")


def save_result(result: AnalysisResult, path: str | Path) -> None:
    """Write a result as JSON, at once or not at all.

    A file that is already there is replaced only by a later state of the same clip's result, whose audit
    trail begins with all that was in the old one.

    Raises:
        ResultError: the file there is another clip's, is no result, or its audit trail would lose entries.
    """
    path = Path(path)
    if path.exists():
        old = load_result(path)
        if problem := _of_another_clip(old, result.clip.source, result.clip_sha256, path.name):
            raise ResultError(problem)
        if result.audit[: len(old.audit)] != old.audit:
            raise ResultError(
                f"{path.name} has audit entries that would be lost; load it and amend it instead."
            )
    text = json.dumps(to_document(result), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    with atomic_path(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def clip_stem(source: str) -> str:
    """Give a clip's base name without its ending; ``1.2.840.1`` has none."""
    path = Path(source)
    return source if path.suffix[1:].isdecimal() else path.stem or source


def claim_folder(
    output: Path,
    source: str,
    sha256: str | None,
    *,
    overwrite: bool = False,
    name: str | None = None,
    set_aside: bool = False,
) -> tuple[Path, AnalysisResult | None]:
    """Find the folder for a clip's results, ``output / stem of source``, and make sure it may be written.

    Sub-folders, which may be those of other clips, are no concern of it.

    Args:
        output: folder that holds one folder a clip.
        source: base name of the clip.
        sha256: digest of the clip (`clip_digest`).
        overwrite: replace an earlier result of this same clip; a damaged one is set aside.
        name: of the folder within `output`, in place of the stem.
        set_aside: whatever else lies there, such as the results of a clip that had this name before, is moved to
            a folder beside it; nothing is lost.

    Returns:
        The folder (made if absent) and the earlier result that it holds, if any.

    Raises:
        ResultError: the folder holds results of another clip, or of this one and `overwrite` is off, or
            something that is no result.
    """
    folder = output / (name or clip_stem(source))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not _files(folder):
            return folder, None
        problem = f"{source}: the folder {folder.name} holds other files; choose another output folder."
        if (folder / RESULT_NAME).exists():
            try:
                old = load_result(folder)
            except ResultError as error:
                problem, set_aside = str(error), set_aside or overwrite
            else:
                problem = _of_another_clip(old, source, sha256, f"{source}: the folder {folder.name}")
        if problem:
            if not set_aside:
                raise ResultError(problem)
            return _set_aside(folder), None
    except OSError as error:
        raise ResultError(
            f"{source}: cannot write to the folder {folder.name} ({error.strerror or error})."
        ) from None
    if not overwrite:
        raise ResultError(f"{source} has been analysed before; use --overwrite to do it again.")
    return folder, old


def _files(folder: Path) -> list[Path]:
    return [item for item in folder.iterdir() if not item.name.startswith(".part-") and not item.is_dir()]


def _set_aside(folder: Path) -> Path:
    """Move the files of a folder to ``<folder>.until-<now>``; give the folder, which has none left."""
    now = utc_now().translate({ord("-"): None, ord(":"): None})
    aside = folder.with_name(f"{folder.name}.until-{now}")
    aside.mkdir()
    for item in _files(folder):
        item.rename(aside / item.name)
    return folder


def _of_another_clip(old: AnalysisResult, source: str, sha256: str | None, where: str) -> str:
    """Say so, if that is what `old` is; else nothing."""
    if (old.clip.source, old.clip_sha256) == (source, sha256):
        return ""
    return f"{where} holds results of another clip ({old.clip.source}); choose another output folder."


def _refuse_constant(text: str) -> float:
    """Refuse NaN and Infinity, which JSON does not have."""
    raise ValueError(f"{text} is not JSON")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
