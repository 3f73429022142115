"""The Python packages that the engine needs: installed once, after asking, and never at import."""

from __future__ import annotations

from pathlib import Path

from slicer.i18n import tr as _


def ensure_packages() -> bool:
    """Install what the engine needs, once, after asking.

    Returns:
        Whether all is there.
    """
    import slicer.packaging

    path = Path(slicer.util.modulePath("EchoKeypoints")).parent / "Resources" / "requirements.txt"
    try:
        slicer.packaging.pip_ensure(slicer.packaging.load_requirements(str(path)), requester="EchoKeypoints")
    except RuntimeError as error:  # declined, or it failed: the sentence says which
        slicer.util.errorDisplay(
            _("EchoKeypoints cannot work without its Python packages. {why}").format(why=error)
        )
        return False
    return True
