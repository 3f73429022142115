"""The index page in a real browser: it sorts and filters, and asks the network for nothing."""

import json

import pytest

from echo_keypoints.batch.index_page import INDEX_NAME, index_page
from echo_keypoints.batch.states import DONE, FAILED, NEEDS_REVIEW, NEW, REVIEWED
from echo_keypoints.batch.worklist import Entry


def entry(path, state, lvidd="", reason=""):
    summary = {"LVIDd (mm)": lvidd, "quality_grade": "good"} if lvidd else {}
    return Entry(path, path.split(".")[0], state, reason, 1.5, "2026-01-01T00:00:00Z", 1, summary)


ENTRIES = [
    entry("clip10.dcm", DONE, "47.5"),
    entry("clip2.dcm", REVIEWED, "9.25", "by reader"),
    entry("odd <b>&amp; 'x'.dcm", FAILED, reason="<script>alert(1)</script> is a still"),
    entry("study/clip3.dcm", NEEDS_REVIEW, "101.0", "Blurred."),
    entry("waiting.dcm", NEW),
]


@pytest.fixture
def browser(chromium, tmp_path):
    for name in ("clip10", "study/clip3"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "report.html").write_text("<title>the report</title>")
    (tmp_path / INDEX_NAME).write_text(index_page(ENTRIES, tmp_path), encoding="utf-8")
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    chromium.get((tmp_path / INDEX_NAME).as_uri())
    yield chromium
    assert [log["message"] for log in chromium.get_log("browser")] == []
    messages = [json.loads(log["message"])["message"] for log in chromium.get_log("performance")]
    asked = {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}
    assert not [url for url in asked if url.startswith(("http", "ws"))]  # its own start page aside


def shown(browser):
    rows = "[...document.querySelector('tbody').rows]"
    return browser.execute_script(f"return {rows}.filter(r => !r.hidden).map(r => r.cells[0].innerText)")


def click(browser, selector, text):
    buttons = f"[...document.querySelectorAll('{selector}')]"
    browser.execute_script(f"{buttons}.find(b => b.innerText.startsWith('{text}')).click()")


def test_columns_sort_by_number_and_by_name(browser):
    assert len(shown(browser)) == 5
    click(browser, "th button", "LVIDd")
    assert shown(browser)[:3] == ["clip2.dcm", "clip10.dcm", "study/clip3.dcm"]
    click(browser, "th button", "LVIDd")
    assert shown(browser)[:3] == ["study/clip3.dcm", "clip10.dcm", "clip2.dcm"]  # the empty ones stay last
    click(browser, "th button", "Clip")
    assert shown(browser)[:2] == ["clip2.dcm", "clip10.dcm"]


def test_states_filter_and_words_search(browser):
    click(browser, ".filter", "needs review")
    assert shown(browser) == ["study/clip3.dcm"]
    click(browser, ".filter", "all")
    browser.find_element("id", "search").send_keys("reader")
    assert shown(browser) == ["clip2.dcm"]
    browser.find_element("id", "search").send_keys(" nobody")
    assert shown(browser) == []
    assert browser.find_element("id", "empty").is_displayed()


def test_names_link_to_reports_and_text_stays_text(browser):
    links = [link.get_attribute("href") for link in browser.find_elements("css selector", "td a")]
    assert [link.split("/")[-2:] for link in links] == [["clip10", "report.html"], ["clip3", "report.html"]]
    assert "odd <b>&amp; 'x'.dcm" in shown(browser)
    assert "<script>alert(1)</script> is a still" in browser.find_element("tag name", "tbody").text
    assert "For research use only." in browser.find_element("tag name", "footer").text
    browser.find_element("link text", "clip10.dcm").click()
    assert browser.title == "the report"
