"""``python -m echo_keypoints.worker``: serve requests from stdin until it ends."""

import os

from echo_keypoints.worker.methods import Methods
from echo_keypoints.worker.protocol import serve


def main() -> None:
    """Keep stdout for the protocol alone: whatever a library prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8", newline="\n")
    with Methods() as methods:
        serve(requests, answers, methods.table)


if __name__ == "__main__":
    main()
