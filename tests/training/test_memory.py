"""Memory of a training."""

import platform
import subprocess
import sys

import pytest


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc maps large tensors anew")
def test_freed_memory_is_kept_for_the_next_step():
    # Not page faults, which would show the gain itself: some kernels of virtual machines count none.
    def share_kept(before):
        code = f"""
import pathlib, resource, torch
from echo_keypoints.training.memory import keep_memory
def mapped_bytes():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
{before}
size = 2**26  # bytes: more than glibc ever keeps by itself
at_first = mapped_bytes()
for step in range(5):
    tensors = [torch.zeros(size // 4) for _ in range(4)]
    del tensors
print((mapped_bytes() - at_first) / (4 * size))
"""
        return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)

    assert share_kept("") < 0.1
    assert share_kept("keep_memory()") > 0.9
