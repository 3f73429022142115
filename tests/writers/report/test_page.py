import re
from html.parser import HTMLParser

import numpy as np

from echo_keypoints.clip import ClipSource
from echo_keypoints.writers.report import read_report
from echo_keypoints.writers.report.page import _resource
from example_results import make_header, make_points, make_result

LIMIT = 6_000_000


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.ids, self.headings = [], [], [], []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.addresses += [given[key] for key in ("src", "href") if key in given]
        self.ids += [given["id"]] if "id" in given else []
        assert "style" not in given and not any(key.startswith("on") for key in given)


def test_the_page_holds_all_that_it_needs(page):
    text = page.read_text(encoding="utf-8")
    assert len(text.encode()) < LIMIT
    reader = Reader()
    reader.feed(text)
    assert all(address.startswith(("data:", "#")) for address in reader.addresses)
    assert len(reader.ids) == len(set(reader.ids))
    assert reader.tags.count("h1") == 1 and reader.tags.count("main") == 1
    assert reader.tags.count("table") == reader.tags.count("caption") == 4  # measures, beats, checks, audit
    assert "default-src 'none'" in text and "For research use only" in text
    assert not re.search(
        r"https?://(?!www\.w3\.org/2000/svg)", _resource("report.js") + _resource("report.css")
    )


def test_one_long_noisy_clip_stays_small(tmp_path):
    count = 4000
    header = make_header(
        frame_count=count, height=240, width=320, frame_times_s=np.arange(count) / 50, scan_region=None
    )
    noise = np.random.default_rng(0).integers(0, 256, (8, 240, 320), dtype=np.uint8)
    source = ClipSource(header, lambda: (noise[index % 8] for index in range(count)))
    result = make_result(
        clip=header, points_px=make_points(count) + np.random.default_rng(1).normal(size=(count, 4, 2))
    )
    path = tmp_path / "report.html"
    read_report(result, source).write_html(path)
    assert path.stat().st_size < LIMIT
    assert re.search(r"\d+ of 4000 frames are shown here", path.read_text(encoding="utf-8"))
