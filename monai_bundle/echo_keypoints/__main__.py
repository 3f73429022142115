"""``python -m echo_keypoints``: the same as the command ``echo-keypoints``."""

import sys

from echo_keypoints.cli import main

if __name__ == "__main__":
    sys.exit(main())
