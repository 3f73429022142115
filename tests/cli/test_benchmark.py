import json
import time

import pytest

from echo_keypoints import benchmark

pytest.importorskip("cv2")


def test_wall_time_is_not_cpu_time():
    calls = []

    def sleep():
        calls.append(time.sleep(0.05))

    timing = benchmark.measure("sleep", sleep, 3)
    assert len(calls) == 4  # one of them warms up
    assert 0.05 <= timing.wall_best <= timing.wall_median and timing.cpu_best < 0.04


def test_the_peak_holds_what_was_freed():
    if benchmark.peak_rss_bytes() is None:
        pytest.skip("this system does not tell")
    block = bytearray(b"\1") * 200_000_000
    del block
    assert benchmark.peak_rss_bytes() > 200_000_000


def test_all_is_measured_and_written(untrained, small_clip, tmp_path, capsys):
    output = tmp_path / "benchmark.json"
    options = [
        "--backend",
        "torch",
        "--threads",
        "1",
        "--models",
        str(untrained),
        "--repeat",
        "1",
        "--long",
        "6",
        "--batch",
        "2",
    ]
    benchmark.main([*options, "--clip", str(small_clip), "--output", str(output)])
    report = json.loads(output.read_text())
    assert report["clip"] == {"frames": 4, "width": 64, "height": 48}
    assert report["long_clip"]["frames"] == 6 and report["long_clip"]["wall_s"] > 0
    steps = [timing["step"].split()[0] for timing in report["timings"]]
    assert {"end", "read", "detect", "refine", "write", "all", "report.html", "peer:", "import"} <= set(steps)
    assert 1000 < report["output_bytes"]["report.html"] < 6e6
    runs = report["batch"]["runs"]
    assert [run["jobs"] for run in runs] == [1, 2] and all(run["clips_per_min"] > 0 for run in runs)
    assert runs[1]["speed_up"] == pytest.approx(runs[0]["wall_s"] / runs[1]["wall_s"])
    table = capsys.readouterr().out
    assert all(timing["step"] in table for timing in report["timings"])
