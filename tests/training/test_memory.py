"""Memory of a training."""

import platform
import subprocess
import sys

import pytest


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc maps large tensors anew")
def test_freed_memory_is_kept_for_the_next_step():
    def page_faults_of_a_step(before):
        code = f"""
import resource, torch
from echo_keypoints.training.memory import keep_memory
{before}
for step in range(15):
    if step == 5:  # by then it has all that it needs
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.zeros(2**22) for _ in range(4)]
    del tensors
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults) / 10)
"""
        return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)

    assert page_faults_of_a_step("keep_memory()") < 0.05 * page_faults_of_a_step("")
