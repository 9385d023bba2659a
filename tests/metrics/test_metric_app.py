"""The Space's page in a real browser, served from an environment that holds the Space's own requirements alone."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from huggingface_hub import SpaceCard

FOLDER = Path(__file__).parents[2] / "metrics" / "b_cubed"

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def page_url(tmp_path_factory):
    """Installs what the hub installs for a Space, and starts app.py there."""
    environment = tmp_path_factory.mktemp("space") / "venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    gradio = f"gradio=={SpaceCard.load(FOLDER / 'README.md').data.sdk_version}"
    install = [
        environment / "bin" / "pip",
        "install",
        "--quiet",
        "-r",
        FOLDER / "requirements.txt",
        gradio,
    ]
    subprocess.run(install, check=True, env={**os.environ, "PIP_CONSTRAINT": ""})

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings = {
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "NO_PROXY": "127.0.0.1",
    }
    command = [environment / "bin" / "python", "app.py"]
    with subprocess.Popen(
        command, cwd=FOLDER, env={**os.environ, **settings, "PYTHONDONTWRITEBYTECODE": "1"}
    ) as app:
        try:
            wait_for(url, app)
            yield url
        finally:
            app.terminate()


def wait_for(url, app, seconds=90):
    for _ in range(seconds * 2):
        assert app.poll() is None, "app.py ended before it served a page"
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"app.py served no page within {seconds} seconds")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium and driver, "this test needs Chromium: apt-get install chromium chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    switches = (
        "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
    )
    for switch in [
        *switches.split(),
        "disable-component-update",
        "disable-sync",
        "window-size=1100,1000",
    ]:
        options.add_argument(f"--{switch}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield browser
    browser.quit()


class Page:
    def __init__(self, browser, url):
        self.browser = browser
        browser.get(url)
        self.wait(lambda: self.find("#predictions textarea"))

    def find(self, selector):
        return self.browser.find_elements("css selector", selector)

    def wait(self, condition):
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.browser, 30).until(lambda _: condition())

    def fill(self, field, text):
        from selenium.webdriver.common.keys import Keys

        (element,) = self.find(f"#{field} textarea, #{field} input")
        element.send_keys(Keys.CONTROL, "a")
        element.send_keys(Keys.DELETE)
        element.send_keys(text)

    def score(self, **fields):
        for field, text in fields.items():
            self.fill(field, text)
        self.find("#score")[0].click()

    def cells(self):
        return [cell.text for cell in self.find("#result td") if cell.text]


@pytest.fixture
def page(browser, page_url):
    return Page(browser, page_url)


def test_two_columns_in_seven_numbers_out(page):
    page.score(predictions="0\n0\n0\n1", references="cat\ncat\ndog\ndog")
    page.wait(page.cells)
    # B3 F1 12/17, precision 2/3, recall 3/4; the V-measure is the card's; two of six pairs together, as by chance
    assert page.cells() == [
        *("B3", "0.705882", "0.666667", "0.750000"),
        *("V-measure", "0.343711", "0.311278", "0.383689"),
        *("ARI", "0.000000"),
    ]
    assert "4 items in 2 clusters and 2 classes" in page.find("#result")[0].text


def test_options_reach_the_metric(page):
    page.score(predictions="a\na\nb\nb\nb", references="1\n1\n2\n2\n3", ignore_label="3", beta="2")
    page.wait(page.cells)
    assert [float(cell) for cell in page.cells() if re.fullmatch(r"[\d.]+", cell)] == [1.0] * 7
    assert "4 items in 2 clusters and 2 classes; items ignored: 1" in page.find("#result")[0].text


BAD = {
    "empty": (dict(predictions="", references=""), "predictions is empty: pass"),
    "lengths": (
        dict(predictions="0\n1", references="a"),
        "predictions has 2 items but references has 1: pass",
    ),
    "blank line": (
        dict(predictions="0\n\n1", references="a\nb\nc"),
        "predictions[1] is missing (None): give",
    ),
    "NaN": (dict(predictions="0\nNaN", references="a\nb"), "predictions[1] is missing (nan): give"),
    "None": (
        dict(predictions="0\n1", references="a\nNone"),
        "references[1] is missing (None): give",
    ),
    "float": (
        dict(predictions="0.5\n1.5", references="a\nb"),
        "predictions[0] is a float: labels must be",
    ),
    "nested": (
        dict(predictions="[0, 1]\n[2]", references="a\nb"),
        "predictions[0] is a list: flatten",
    ),
    "mixed": (
        dict(predictions="0\nx", references="a\nb"),
        "predictions mixes integers and strings: convert",
    ),
    "beta": (
        dict(predictions="0", references="a", beta="0"),
        "beta is 0: it must be a number above 0",
    ),
    "ignored": (
        dict(predictions="0", references="a", ignore_label="a"),
        "ignore_label 'a' drops all 1 items: choose",
    ),
}


@pytest.mark.parametrize("fields, message", BAD.values(), ids=BAD)
def test_bad_input_is_shown_in_place_of_earlier_scores(page, fields, message):
    page.score()
    page.wait(page.cells)
    page.score(**fields)
    shown = page.wait(lambda: " ".join(toast.text for toast in page.find(".toast-body")))
    assert message in shown
    assert page.cells() == []
