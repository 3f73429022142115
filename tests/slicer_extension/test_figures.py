"""The figures that were promised, as far as a machine that is shared can tell: by the CPU time that they take."""

import json
import subprocess
import sys
from pathlib import Path

from benchmark_extension import LIMITS

# A process of its own: the benchmark installs its own stand-ins, which must not take the place of the tests' ones.
MEASURE = "import json; from benchmark_extension import figures; print(json.dumps(figures(repeat=1)))"


def test_what_is_promised_takes_no_more_cpu_time_than_its_limit():
    run = subprocess.run(
        [sys.executable, "-c", MEASURE], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    found = json.loads(run.stdout.splitlines()[-1])
    slow = {name: found[name] for name, limit in LIMITS.items() if min(cpu for _, cpu in found[name]) > limit}
    assert not slow
