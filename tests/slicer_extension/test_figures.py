"""The figures that were promised, as far as a machine that is shared can tell: by the CPU time that they take."""

from benchmark_extension import LIMITS, figures


def test_what_is_promised_takes_no_more_cpu_time_than_its_limit():
    found = figures(repeat=1)
    slow = {name: found[name] for name, limit in LIMITS.items() if min(cpu for _, cpu in found[name]) > limit}
    assert not slow
