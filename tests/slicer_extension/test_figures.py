"""The figures that were promised, as far as a machine that is shared can tell: by the CPU time that they take, and
against that of a fixed piece of work in the same run, since machines differ by a factor of two from hour to hour."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

from benchmark_extension import LIMITS, YARDSTICK_S

# A process of its own: the benchmark installs its own stand-ins, which must not take the place of the tests' ones.
MEASURE = "import json; from benchmark_extension import figures; print(json.dumps(figures(repeat=4)))"


def test_what_is_promised_takes_no_more_cpu_time_than_its_limit():
    run = subprocess.run(
        [sys.executable, "-c", MEASURE], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    found = json.loads(run.stdout.splitlines()[-1])
    slowness = max(1.0, statistics.mean(cpu for _, cpu in found["yardstick"]) / YARDSTICK_S)
    least = {name: min(cpu for _, cpu in found[name]) for name in LIMITS}
    slow = {name: cpu for name, cpu in least.items() if cpu > slowness * LIMITS[name]}
    assert not slow, f"at {slowness:.2f} times the time for the yardstick"
