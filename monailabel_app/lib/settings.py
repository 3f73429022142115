"""What an administrator may set: ``--conf KEY VALUE``, or a variable ``ECHO_LABEL_KEY`` of the environment."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from echo_keypoints.errors import EchoKeypointsError

ANYBODY = "*"
"""Name in the tokens file of a token that all annotators share: each gives a name of his own choice."""

_MIB = 1 << 20


class SettingsError(EchoKeypointsError):
    """A setting of the server cannot be used."""


@dataclass(frozen=True)
class Settings:
    """The settings.

    Attributes:
        engine: ``auto`` (torch where there is a CUDA device, else ONNX Runtime), ``onnx`` or ``torch``.
        device: of torch, or None.
        threads: CPU threads of one inference.
        workers: inferences of whole clips at once.
        cache_bytes: memory of the clips that are kept ready for refinement.
        upload_bytes: largest clip that may be uploaded.
        state: folder of model versions, training runs, locks and signals; None for one among the studies.
        bundle: the MONAI bundle with the configs that training runs.
        tokens: token → annotator, or `ANYBODY`.
        origins: web pages that may use the server, e.g. ``https://viewer.example``.
    """

    engine: str = "auto"
    device: str | None = None
    threads: int | None = None
    workers: int = 2
    cache_bytes: int = 1024 * _MIB
    upload_bytes: int = 1024 * _MIB
    state: Path | None = None
    bundle: Path = Path(__file__).resolve().parents[2] / "monai_bundle"
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    origins: tuple[str, ...] = ()

    @classmethod
    def read(cls, conf: Mapping[str, str], environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings.

        Args:
            conf: of the command line; it goes before the environment.
            environment: of this process by default.

        Raises:
            SettingsError: a value is no number or choice, or the tokens cannot be read.
        """
        names = os.environ if environment is None else environment
        given = {key[11:].lower(): value for key, value in names.items() if key.startswith("ECHO_LABEL_")}
        given.update({key.replace("-", "_"): value for key, value in conf.items()})
        engine = given.get("engine", cls.engine)
        if engine not in ("auto", "onnx", "torch"):
            raise SettingsError(f"The engine is auto, onnx or torch, not {engine}.")
        return cls(
            engine=engine,
            device=given.get("device"),
            threads=_number(given, "threads", 0) or None,
            workers=_number(given, "workers", cls.workers),
            cache_bytes=_number(given, "cache_mb", cls.cache_bytes // _MIB) * _MIB,
            upload_bytes=_number(given, "upload_mb", cls.upload_bytes // _MIB) * _MIB,
            state=Path(given["state"]).expanduser().resolve() if "state" in given else None,
            bundle=Path(given["bundle"]).expanduser().resolve() if "bundle" in given else cls.bundle,
            tokens=read_tokens(Path(given["tokens"]).expanduser()) if "tokens" in given else {},
            origins=tuple(given.get("origins", "").split()),
        )


def read_tokens(path: Path) -> dict[str, str]:
    """Read the tokens file: JSON, annotator → token; the name ``*`` is for a token that all share.

    Returns:
        Token → annotator.

    Raises:
        SettingsError: it is missing, readable by others, no such file, or its tokens are short or alike.
    """
    try:
        if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SettingsError(f"{path.name} can be read by other users: run chmod 600 on it.")
        by_name = json.loads(path.read_text(encoding="utf-8"))
        tokens = {str(token): str(name) for name, token in by_name.items()}
    except (OSError, ValueError, AttributeError):
        raise SettingsError(f'{path.name} is no tokens file; it looks like {{"name": "token"}}.') from None
    if len(tokens) != len(by_name) or not tokens or any(len(token) < 16 for token in tokens):
        raise SettingsError(f"{path.name} needs a different token of 16 or more characters for each name.")
    return tokens


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, str(default))
    if not text.isdigit():
        raise SettingsError(f"{name} must be a whole number, not {text}.")
    return int(text)
