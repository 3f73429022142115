"""``python monailabel_app/start.py --studies FOLDER``: MONAI Label's server with safe defaults.

It listens on this machine only, unless ``--host`` says otherwise, and tells in one sentence if the installed packages
do not fit. All other options are those of ``monailabel start_server``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

APP = Path(__file__).resolve().parent
DEFAULTS = {
    "MONAI_LABEL_SESSIONS": "false",
    "MONAI_LABEL_AUTO_UPDATE_SCORING": "false",
    "MONAI_LABEL_TRACKING_ENABLED": "false",
}


def command(arguments: list[str]) -> list[str]:
    """Give the arguments of MONAI Label's command line."""
    given = {argument.split("=")[0] for argument in arguments}
    safe = [] if given & {"-i", "--host"} else ["--host", "127.0.0.1"]
    return ["start_server", "--app", str(APP), *safe, *arguments]


def main() -> int:
    """Start the server, or tell why not."""
    sys.path.insert(0, str(APP))
    from lib.versions import problem

    if sentence := problem():
        print(f"EchoKeypoints Label: {sentence}", file=sys.stderr)
        return 2
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    sys.argv[1:] = command(sys.argv[1:])
    from monailabel.main import Main

    Main(actions=("start_server",)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
