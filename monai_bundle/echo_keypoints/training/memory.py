"""Memory of a training on the CPU."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # options of glibc's mallopt (malloc.h)


def keep_memory() -> None:
    """Keep freed memory for the next step, where the C library is glibc; elsewhere nothing changes.

    glibc maps every large tensor anew and gives it back as soon as it is free, so that a training on the CPU spends
    up to half of its time in the kernel, which clears the same pages over and over.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        for option, size in ((_MMAP_THRESHOLD, 2**30), (_TRIM_THRESHOLD, 2**31 - 1)):
            mallopt(option, size)
