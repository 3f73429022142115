"""The report in a real browser: it plays, scrubs, prints, and asks the network for nothing."""

import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from echo_keypoints.writers.report import read_report
from example_results import make_clip, make_header, make_result

pytest.importorskip("selenium")
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

_CANVAS = "const c = document.getElementById('cine');"


@pytest.fixture
def visit(chromium):
    """Open a page with a viewport and media features; afterwards nothing may have gone wrong."""

    def go(path, *, width=1280, height=900, dark=False, motion="reduce", media=""):
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": motion},
        ]
        chromium.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        chromium.get(path.as_uri())
        WebDriverWait(chromium, 20).until(
            lambda browser: browser.execute_script("return document.documentElement.dataset.ready")
        )
        return chromium

    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    yield go
    assert [entry["message"] for entry in chromium.get_log("browser")] == []
    messages = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    asked = {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}
    assert asked and all(url.startswith(("file:", "data:")) for url in asked)


def position(browser) -> int:
    return int(browser.find_element(By.ID, "scrub").get_attribute("value"))


def press(browser, *keys) -> None:
    browser.find_element(By.TAG_NAME, "body").send_keys(*keys)


def shown(browser) -> np.ndarray:
    """Read the canvas in the size of the clip's picture, as grey."""
    address = browser.execute_script(_CANVAS + "return c.toDataURL('image/png')")
    size = browser.execute_script("return JSON.parse(document.getElementById('data').textContent).size")
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
        return np.asarray(picture.convert("L").resize(size, Image.Resampling.BOX)).astype(float)


def test_every_frame_is_shown_exactly(visit, page, report):
    browser = visit(page)
    press(browser, "l")  # only the image
    jpegs = [np.asarray(Image.open(io.BytesIO(jpeg))).astype(float) for jpeg in report.cine.frames.values()]
    for at in (0, 7, 33, 59):
        browser.execute_script(
            "const s = document.getElementById('scrub'); s.value = arguments[0];"
            "s.dispatchEvent(new Event('input', {bubbles: true}))",
            at,
        )
        picture = shown(browser)
        distances = [np.abs(picture - jpeg).mean() for jpeg in jpegs]
        assert int(np.argmin(distances)) == at and distances[at] < 4


def test_landmarks_are_drawn_where_they_are_and_can_be_hidden(visit, page, report, measured):
    browser = visit(page)
    press(browser, Keys.HOME)
    marked = shown(browser)
    press(browser, "l")
    bare = shown(browser)
    changed = np.abs(marked - bare) > 12
    for x, y in report.cine.view.place(measured.points_px[0]):
        assert changed[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4].any()
    assert changed.mean() < 0.08
    assert browser.find_element(By.ID, "marks").get_attribute("aria-pressed") == "false"


def test_keys_move_through_the_clip_and_the_cursor_follows(visit, page, measured):
    browser = visit(page)
    assert position(browser) == measured.reference_frame
    events = {"d": [], "s": []}
    for beat in measured.beats:
        events["d"].append(beat["ed_frame"])
        events["s"].append(beat["es_frame"])
    for key, expected in ((Keys.HOME, 0), (Keys.ARROW_RIGHT, 1), (Keys.END, 59), (Keys.ARROW_LEFT, 58)):
        press(browser, key)
        assert position(browser) == expected
    press(browser, Keys.HOME)
    press(browser, Keys.SHIFT + Keys.ARROW_RIGHT + Keys.NULL)
    assert position(browser) == 10
    for key, frames in events.items():
        press(browser, Keys.HOME)
        press(browser, key)
        assert position(browser) == next(frame for frame in sorted(frames) if frame > 0)
    text = browser.find_element(By.ID, "status").get_attribute("textContent")
    assert "end-systole" in text
    panels = browser.execute_script("return JSON.parse(document.getElementById('data').textContent).panels")[
        0
    ]
    times, lvid = measured.clip.frame_times_s, np.array(measured.measurements["curves"]["LVID"])
    for frame in (0, 21, 59):
        press(browser, Keys.HOME)
        press(browser, *[Keys.ARROW_RIGHT] * frame) if frame < 30 else press(browser, Keys.END)
        line = browser.find_element(By.CSS_SELECTOR, "svg.wide .cursor")
        dot = browser.find_element(By.CSS_SELECTOR, "svg.wide .dot.lvid")
        box = panels[0]
        x = box["left"] + times[frame] / times[-1] * (box["right"] - box["left"])
        share = (lvid[frame] - box["low"]) / (box["high"] - box["low"])
        assert float(line.get_attribute("x1")) == pytest.approx(x, abs=0.1)
        assert float(dot.get_attribute("cy")) == pytest.approx(
            box["bottom"] - share * (box["bottom"] - box["top"]), abs=0.2
        )


def test_the_slider_and_the_curves_scrub(visit, page, measured):
    browser = visit(page)
    slider = browser.find_element(By.ID, "scrub")
    slider.send_keys(Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert position(browser) == 2
    assert slider.get_attribute("aria-valuetext").startswith("frame 3 of 60, 0.050 s")
    value = measured.lengths["LVID"].mm[2]
    assert browser.find_element(By.ID, "reading-lvid").text == f"{value:.1f} mm"
    plot = browser.find_element(By.CSS_SELECTOR, "svg.wide")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    ActionChains(browser).move_to_element(plot).click().perform()
    assert 25 < position(browser) < 35


def test_it_plays_at_its_own_pace_and_stops(visit, page):
    browser = visit(page)
    press(browser, Keys.HOME)
    before = shown(browser)
    press(browser, Keys.SPACE)
    assert browser.find_element(By.ID, "play").text == "Pause"
    moments = browser.execute_async_script(
        "const told = arguments[0], seen = [], slider = document.getElementById('scrub');"
        "const look = (now) => { seen.push([now / 1000, Number(slider.value)]);"
        "if (seen.length < 400 && now < seen[0][0] * 1000 + 1100) requestAnimationFrame(look); else told(seen) };"
        "requestAnimationFrame(look)"
    )
    times, frames = np.array(moments).T
    frames = np.cumsum(np.concatenate([[0], np.diff(frames) % 60]))  # it begins again after the last
    assert np.ptp(frames) > 20
    assert np.polyfit(times, frames, 1)[0] == pytest.approx(40, rel=0.15)
    press(browser, Keys.SPACE)
    stopped = position(browser)
    assert browser.find_element(By.ID, "play").text == "Play"
    press(browser, Keys.ARROW_LEFT)
    assert position(browser) == max(stopped - 1, 0)
    press(browser, Keys.END)
    assert np.abs(shown(browser) - before).mean() > 0.5
    press(browser, "-")
    assert browser.find_element(By.ID, "speed").get_attribute("value") == "0.5"


def test_it_starts_by_itself_unless_motion_is_unwanted(visit, page):
    browser = visit(page, motion="no-preference")
    assert browser.find_element(By.ID, "play").text == "Pause"
    browser = visit(page, motion="reduce")
    assert browser.find_element(By.ID, "play").text == "Play"


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_is_wider_than_a_phone(visit, page, width):
    browser = visit(page, width=width, height=800)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    visible = browser.find_element(By.CSS_SELECTOR, "svg.narrow").is_displayed()
    assert visible == (width < 560)


def test_dark_follows_the_system_and_the_button(visit, page):
    def ground(browser):
        return browser.execute_script("return getComputedStyle(document.documentElement).backgroundColor")

    light = ground(visit(page))
    browser = visit(page, dark=True)
    dark = ground(browser)
    assert dark != light
    browser.find_element(By.ID, "theme").click()
    assert ground(browser) == light


def test_print_has_stills_and_no_player(visit, page, measured):
    pypdf = pytest.importorskip("pypdf")
    browser = visit(page, dark=True, media="print")
    assert not browser.find_element(By.ID, "cine").is_displayed()
    assert all(still.is_displayed() for still in browser.find_elements(By.CSS_SELECTOR, "svg.still"))
    assert browser.execute_script("return getComputedStyle(document.body).color") == "rgb(20, 24, 31)"
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})
    document = pypdf.PdfReader(io.BytesIO(base64.b64decode(printed["data"])))
    text = " ".join(item.extract_text() for item in document.pages)
    assert "For research use only" in text and "LVIDd" in text and 2 <= len(document.pages) <= 8


def test_texts_of_the_file_stay_texts(visit, measured, phantom, tmp_path):
    attack = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"
    header = replace(phantom.header, source=f"{attack}.dcm", spacing_source=attack)
    measurements = dict(measured.measurements, missing={attack: attack}, rhythm_note=attack)
    result = replace(measured, clip=header, warnings=(attack,), measurements=measurements)
    path = tmp_path / "report.html"
    read_report(result, phantom.as_source()).write_html(path)
    browser = visit(path)
    assert browser.execute_script("return window.hacked") is None
    assert browser.find_element(By.TAG_NAME, "h1").text == f"{attack}.dcm"


def test_a_script_from_elsewhere_is_not_run(visit, chromium, page):
    visit(page)
    chromium.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.hacked = 3';"
        "document.body.append(s)"
    )
    assert chromium.execute_script("return window.hacked") is None
    assert "Content Security Policy" in chromium.get_log("browser")[0]["message"]


@pytest.mark.parametrize("case", ["no scale", "two frames", "nothing seen", "times unknown", "one frame"])
def test_poor_clips_give_a_report_that_works(visit, tmp_path, case):
    count = {"two frames": 2, "one frame": 1}.get(case, 5)
    changes = {"spacing_mm": None, "spacing_source": "none"} if case == "no scale" else {}
    if case == "times unknown":
        changes["metadata"] = {"times_known": False}
    header = make_header(frame_count=count, frame_times_s=np.arange(count) / 30, **changes)
    result = make_result(clip=header, reference_frame=0)
    if case == "nothing seen":
        result = replace(
            result, points_px=np.full((count, 4, 2), np.nan), confidence=np.full((count, 4), np.nan)
        )
    path = tmp_path / "report.html"
    read_report(result, make_clip(header).as_source()).write_html(path)
    browser = visit(path)
    press(browser, Keys.ARROW_RIGHT)
    assert position(browser) == min(1, count - 1)
    where = browser.find_element(By.ID, "where").text
    assert (" s" in where) == (case != "times unknown")
    reading = browser.find_element(By.ID, "reading-lvid").text
    assert (
        reading == "–" if case == "nothing seen" else reading.endswith("px" if case == "no scale" else "mm")
    )
