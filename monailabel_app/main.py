"""MONAI Label app of EchoKeypoints: ``monailabel start_server --app monailabel_app --studies FOLDER``.

For research use only.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

_BUNDLE = Path(__file__).resolve().parent.parent / "monai_bundle"
if _BUNDLE.is_dir() and str(_BUNDLE) not in sys.path:  # a checkout's engine goes before an installed one
    sys.path.insert(0, str(_BUNDLE))

from monailabel.interfaces.app import MONAILabelApp  # noqa: E402

from echo_keypoints._version import __version__  # noqa: E402
from echo_keypoints.anatomy import LANDMARK_NAMES  # noqa: E402
from echo_keypoints.errors import EchoKeypointsError  # noqa: E402
from echo_keypoints.selection import STRATEGIES  # noqa: E402
from lib.datastore import EchoDatastore  # noqa: E402
from lib.inference import TASKS  # noqa: E402
from lib.orders import MODELS  # noqa: E402
from lib.service import Service  # noqa: E402
from lib.settings import Settings  # noqa: E402
from lib.studies import open_catalogue  # noqa: E402
from lib.tasks import EchoInfer, EchoScoring, EchoStrategy, EchoTrain  # noqa: E402

logger = logging.getLogger(__name__)


class EchoKeypointsLabel(MONAILabelApp):
    """The app: MONAI Label shows it, `Service` does the work, and the `Gate` stands in front of both.

    Args:
        app_dir: this folder.
        studies: folder of clips, or address of a DICOMweb server.
        conf: settings of the command line (`lib.settings`).
    """

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        try:
            settings = Settings.read({key: str(value) for key, value in (conf or {}).items()})
            self.service = Service(open_catalogue(studies, settings), settings)
        except EchoKeypointsError as error:
            _give_up(str(error))
        super().__init__(
            app_dir=app_dir,
            studies=studies,
            conf=conf or {},
            name="EchoKeypoints",
            description="Four landmarks through PLAX echo cines. Research use only.",
            version=__version__,
            labels=list(LANDMARK_NAMES),
        )
        self._auto_update_scoring = False  # it would start a process of MONAI Label at every request
        self._sessions = None
        _guard(self, settings)

    def init_datastore(self) -> EchoDatastore:
        """Give the datastore."""
        return EchoDatastore(self.service)

    def init_infers(self) -> dict[str, EchoInfer]:
        """List the inference tasks."""
        return {name: EchoInfer(self.service, name) for name in TASKS}

    def init_trainers(self) -> dict[str, EchoTrain]:
        """List the training tasks."""
        return {name: EchoTrain(self.service, name) for name in MODELS}

    def init_strategies(self) -> dict[str, EchoStrategy]:
        """List the strategies."""
        return {name: EchoStrategy(self.service, name) for name in STRATEGIES}

    def init_scoring_methods(self) -> dict[str, EchoScoring]:
        """List the scoring methods."""
        return {"all": EchoScoring(self.service)}


def _give_up(sentence: str) -> NoReturn:
    """End the process with a sentence: MONAI Label's server would bury any exception under its stack trace."""
    logger.error("The server does not start: %s", sentence)
    logging.shutdown()
    os._exit(2)


def _guard(label_app: EchoKeypointsLabel, settings: Settings) -> None:
    """Put the gate in front of MONAI Label's server, if this process is one."""
    server: Any = getattr(sys.modules.get("monailabel.app"), "app", None)
    if server is None or server.middleware_stack is None:
        return
    from lib.gate import Gate
    from lib.web import make_app

    server.middleware_stack = Gate(server.middleware_stack, make_app(label_app.service, label_app), settings)
    access = f"{len(settings.tokens)} tokens" if settings.tokens else "no tokens: this machine only"
    logger.info("EchoKeypoints Label %s is ready (%s). Research use only.", __version__, access)
