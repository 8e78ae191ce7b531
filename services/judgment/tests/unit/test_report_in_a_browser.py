"""The page of a replay's report in a real browser, on a phone and on a desk; skipped where there is no Chromium."""

import json
import os
import re
import shutil
import signal
import subprocess
from html import escape
from threading import Timer

import pytest
from judgment_samples.reports import refusing, replayed, report_of
from millwright_judgment.domain.html.words import LANGUAGES
from millwright_judgment.domain.input.changes import InputChange, Operation
from millwright_judgment.domain.replays.html.report import write_page

WIDTHS = (390, 1280)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)
LONG = "라인-" + "0123456789" * 12
PROBE = """
<!doctype html><meta charset="utf-8">
{frames}
<script>
onload = () => {{
  const sideways = [...document.querySelectorAll("iframe")].map((frame) => {{
    const page = frame.contentDocument;
    page.querySelectorAll("details").forEach((each) => each.open = true);
    return page.documentElement.scrollWidth - page.documentElement.clientWidth;
  }});
  console.log("sideways: " + JSON.stringify(sideways));
}};
</script>
"""
"""Opens a page in frames of several widths, and says by how much each can be scrolled sideways."""

SIDEWAYS = re.compile(r"sideways: (\[[-\d,]+\])")

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on the path")


def opened(directory, page):
    """By how many pixels a page can be scrolled sideways at each width, and what the browser complains of."""
    frames = [f'<iframe style="width:{width}px;height:900px" srcdoc="{escape(page)}"></iframe>' for width in WIDTHS]
    path = directory / "probe.html"
    path.write_text(PROBE.format(frames="".join(frames)))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command = [BROWSER, *flags, f"--user-data-dir={directory / 'profile'}", path.as_uri()]
    complaints = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as browser:
        stop = Timer(60, os.killpg, (browser.pid, signal.SIGKILL))
        stop.start()
        try:
            for line in (line for line in browser.stderr if "CONSOLE" in line):
                if found := SIDEWAYS.search(line):
                    return json.loads(found[1]), complaints
                complaints.append(line)
        finally:
            stop.cancel()
            os.killpg(browser.pid, signal.SIGKILL)
    return None, complaints


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_of_the_page_scrolls_sideways_and_the_browser_reports_no_error(tmp_path, language):
    changed = replayed(changes=(InputChange("temperature", Operation.ADD, 5.0),), lines=(LONG, "L2", "L3"))
    for name, report in {"changed": changed, "refused": report_of(refusing())}.items():
        directory = tmp_path / name
        directory.mkdir()
        assert opened(directory, write_page("replays/1", report, language)) == ([0, 0], [])


def test_what_does_scroll_sideways_and_what_fails_is_seen(tmp_path):
    wide = '<div style="width:900px">wide</div><script>nothing.here</script>'
    (narrow, broad), complaints = opened(tmp_path, f"<!doctype html>{wide}")
    assert narrow > 0
    assert broad == 0
    assert any("nothing is not defined" in each for each in complaints)
