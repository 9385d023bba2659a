"""The report: what is in the page, and (extended) what it does in a browser."""

import copy
import html
import json
import re
import shlex
import shutil

import pytest
from datasets import Dataset
from plotly.offline import get_plotlyjs

from modeling_siamure import RelationDiscovery, insert_markers
from modeling_siamure.cli import main
from modeling_siamure.discovery.report import (
    _content,
    as_json,
    build_report,
    score_gold,
    shorten,
    summarize,
)
from modeling_siamure.recipe import DEFAULT_METRIC
from tests.helpers.commands import run
from tests.helpers.rows import make_rows, write_rows

ATTACK = (
    "</script><script>window.attacked = true</script><img src=x onerror='window.attacked = true'>"
)


@pytest.fixture(scope="module")
def dataset():
    """The rows of the other tests, and one whose sentence and relation hold HTML."""
    sentence = f"ada left acme {ATTACK}"
    row = make_rows(1)[0] | {"sentence": sentence, "relation": "<b>left</b>"}
    row["text"] = insert_markers(sentence, (0, 3), (9, 13), "PERSON", "FIRM")
    row |= {"head_end": 3, "tail_start": 9}
    return Dataset.from_list([*make_rows(60), row])


@pytest.fixture(scope="module")
def fitted(recipe, dataset):
    return RelationDiscovery(4, recipe=recipe).fit(dataset)


@pytest.fixture(scope="module")
def page(fitted, dataset):
    scores = score_gold(fitted, dataset, str(DEFAULT_METRIC))
    return build_report(fitted, dataset, "mine & <yours>.jsonl", *scores)


def content(page):
    pattern = r'<script id="data" type="application/json">(.*?)</script>'
    return json.loads(re.search(pattern, page, re.DOTALL)[1])


def test_the_page_holds_what_was_found(page, fitted, dataset):
    data = content(page)
    assert data["points"]["cluster"] == fitted.labels_.tolist()
    assert data["points"]["row"] == list(range(61))
    assert data["points"]["text"][60].endswith(ATTACK)  # as it is: the page writes it as text
    sizes = [cluster.size for cluster in fitted.clusters_]
    assert [cluster["size"] for cluster in data["clusters"]] == sizes
    borderline = [cluster.borderline_examples for cluster in fitted.clusters_]
    assert [cluster["borderline"] for cluster in data["clusters"]] == [
        [shorten(text) for text in texts] for texts in borderline
    ]
    assert len(data["tree"]) == 3 and data["chosen"] == 4
    assert data["unassigned"] == (fitted.labels_ == -1).sum()
    assert [sum(row) for row in data["gold"]["counts"]] == sizes
    assert set(data["gold"]["scores"]) == {"B3 F1", "V F1", "ARI"}


def test_the_page_says_how_the_clusters_were_found(page, fitted):
    assert f"Clusters found by {fitted.clustering_method_}." in summarize(fitted)
    assert html.escape(summarize(fitted), quote=False) in page


@pytest.mark.parametrize(
    ("method", "types_decided"),
    [("k-means", False), ("consensus", False), ("parts of type pairs", True)],
)
def test_the_summary_says_when_types_decided(fitted, method, types_decided):
    other = copy.copy(fitted)
    other.clustering_method_ = method
    summary = summarize(other)
    assert f"Clusters found by {method}." in summary
    assert ("so the types decided" in summary) == types_decided


def test_nothing_of_the_corpus_is_html(page):
    assert "window.attacked" in page and ATTACK not in page and page.count("<img src=x") == 0
    assert "mine &amp; &lt;yours&gt;.jsonl" in page
    assert json.loads(as_json({"a": "<>&\u2028\u2029é"})) == {"a": "<>&\u2028\u2029é"}
    assert not re.search("[<>&\u2028\u2029]", as_json({"a": "<>&\u2028\u2029é"}))


def test_the_page_loads_nothing(page):
    without_plotly = page.replace(get_plotlyjs(), "")
    assert len(without_plotly) < len(page) / 2 and "default-src 'none'" in without_plotly
    assert not re.search(r'(src|href)\s*=\s*"?(https?:)?//', without_plotly)


def test_no_gold_no_scores(fitted, dataset):
    rows = dataset.remove_columns("relation")
    assert score_gold(fitted, rows, "none") == ({}, [])
    assert content(build_report(fitted, rows, "x"))["gold"] is None


def test_a_map_of_a_sample(fitted, dataset):
    points = _content(fitted, dataset, {}, [], mapped_rows=20)["points"]
    assert len(points["x"]) == len(points["row"]) == 20
    assert points["cluster"] == fitted.labels_[points["row"]].tolist()


def test_long_sentences_are_cut_outside_the_mentions():
    text = "<e1:A> ada </e1:A> " + "in " * 200 + "<e2> acme </e2> " + "may " * 5000
    short = shorten(text)
    assert len(short) < 450 and short.startswith("<e1:A> ada </e1:A> in ")
    assert "<e2> acme </e2> may" in short
    assert shorten("<e2> acme </e2> named <e1> ada </e1>") == "<e2> acme </e2> named <e1> ada </e1>"


# --------------------------------------------------------------------------------------------------
# In the browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium and driver, "this test needs Chromium: apt-get install chromium chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    switches = [
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "enable-unsafe-swiftshader",
        "window-size=1200,1000",
    ]
    for switch in switches:
        options.add_argument(f"--{switch}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture
def opened(browser, page, tmp_path):
    open_page(browser, page, tmp_path)
    return browser


def open_page(browser, page, folder):
    (folder / "report.html").write_text(page, encoding="utf-8")
    browser.get(f"file://{folder}/report.html")
    wait(browser, "return document.querySelector('#map .main-svg') && byId('status').value")


def status(browser):
    return browser.execute_script("return byId('status').value")


def wait(browser, script):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 60).until(lambda _: browser.execute_script(script))


def texts(browser, selector):
    return [element.text for element in browser.find_elements("css selector", selector)]


@pytest.mark.extended
def test_click_on_a_cluster_filters_map_and_examples(opened, fitted):
    first = fitted.clusters_[0]
    assert "61 sentences on the map" in status(opened)
    button = opened.find_element("css selector", "#clusters button")
    assert first.name in button.text and f"{first.size} sentences" in button.text
    button.click()
    assert status(opened) == f"{first.size} of 61 sentences on the map"
    assert opened.execute_script("return byId('map').data[1].x.length") == first.size
    assert button.get_attribute("aria-pressed") == "true"
    assert first.name in texts(opened, "#examples h3")
    assert len(texts(opened, "#examples li")) == len(first.examples) + len(
        first.borderline_examples
    )
    assert opened.find_elements("css selector", "#examples .head")[0].text in first.examples[0]
    button.click()  # and all again
    assert opened.execute_script("return byId('map').data[1].x.length") == 61


@pytest.mark.extended
def test_hover_shows_the_sentence_and_click_its_cluster(opened, fitted, dataset):
    from selenium.webdriver.common.action_chains import ActionChains

    place = """
        const map = byId('map'), box = map.querySelector('.nsewdrag').getBoundingClientRect();
        const { xaxis, yaxis } = map._fullLayout;
        return [box.x + xaxis.d2p(points.x[60]), box.y + yaxis.d2p(points.y[60])].map(Math.round);
    """
    opened.execute_script("byId('map').scrollIntoView({ block: 'center' })")
    x, y = opened.execute_script(place)
    actions = ActionChains(opened)
    actions.w3c_actions.pointer_action.move_to_location(x - 6, y)
    actions.w3c_actions.pointer_action.move_to_location(x, y)
    actions.perform()
    wait(opened, "return !byId('tip').hidden")
    shown = texts(opened, "#tip")[0]
    sentences = {sentence.replace("  ", " ") for sentence in dataset["sentence"]}
    assert any(shown.startswith(sentence) for sentence in sentences)
    assert opened.find_elements("css selector", "#tip .head")
    assert opened.find_elements("css selector", "#tip .tail")
    ActionChains(opened).click().perform()
    pressed = "return document.querySelectorAll('#clusters [aria-pressed=true]').length"
    assert wait(opened, pressed) == 1


@pytest.mark.extended
def test_search(opened, dataset):
    field = opened.find_element("css selector", "#search")
    field.send_keys("quit")
    count = sum("quit" in sentence for sentence in dataset["sentence"])
    assert status(opened) == f"{count} of 61 sentences on the map"
    assert all("quit" in text for text in texts(opened, "#examples li"))
    opened.find_element("css selector", "#reset").click()
    assert opened.execute_script("return byId('map').data[1].x.length") == 61
    assert field.get_attribute("value") == ""


@pytest.mark.extended
def test_a_sentence_that_holds_a_script_is_shown_as_it_is(opened):
    opened.find_element("css selector", "#search").send_keys("</script>")
    assert texts(opened, "#examples li") == [f"ada left acme {ATTACK}"]
    assert opened.execute_script("return window.attacked") is None
    assert opened.find_elements("css selector", "#examples img, #examples script, #gold img") == []
    assert [entry for entry in opened.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.extended
def test_keyboard_alone(opened):
    from selenium.webdriver.common.keys import Keys

    def focused():
        return opened.switch_to.active_element

    opened.find_element("css selector", "#search").send_keys(Keys.TAB)
    assert focused().get_attribute("id") == "reset"
    focused().send_keys(Keys.TAB)
    if focused().get_attribute("id") == "clusters":  # a list that scrolls takes the focus too
        focused().send_keys(Keys.TAB)
    focused().send_keys(Keys.ENTER)
    assert focused().get_attribute("aria-pressed") == "true"
    the_map = opened.find_element("css selector", "#map")
    the_map.send_keys(Keys.ARROW_RIGHT)
    first = texts(opened, "#sentence")[0]
    the_map.send_keys(Keys.ARROW_RIGHT)
    assert first and texts(opened, "#sentence")[0] != first
    leaf = opened.find_element("css selector", "#tree g[data-cluster='1']")
    leaf.send_keys(Keys.ENTER)
    assert leaf.get_attribute("aria-pressed") == "true"


@pytest.mark.extended
def test_cutting_the_tree_joins_colors(opened):
    buttons = "[...document.querySelectorAll('#clusters button')]"
    color = "(button) => button.style.getPropertyValue('--color')"
    colors = f"return new Set({buttons}.map({color})).size"
    before = opened.execute_script(colors)
    opened.execute_script("byId('cut').value = 2; byId('cut').dispatchEvent(new Event('input'))")
    assert opened.execute_script(colors) == before - 2
    assert opened.execute_script("return byId('groups').value") == "2"


@pytest.mark.extended
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_width_in_light_and_dark(browser, page, tmp_path, scheme):
    size = {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    open_page(browser, page, tmp_path)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    background = "getComputedStyle(document.body).backgroundColor"
    lightness = f"return {background}.match(/[0-9]+/g).map(Number)[0]"
    assert (browser.execute_script(lightness) > 128) == (scheme == "light")
    assert browser.execute_script("return byId('map').getBoundingClientRect().width") > 300
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


# --------------------------------------------------------------------------------------------------
# Edits


def select(browser, *ids):
    for cluster in ids:
        browser.find_element("css selector", f"#clusters input[data-id='{cluster}']").click()


def click(browser, name):
    browser.find_element("css selector", f"#edit-{name}").click()


def fill_in(browser, form, text):
    field = browser.find_element("css selector", f"#edit-{form} input")
    field.clear()
    field.send_keys(text, "\n")


def listed_edits(browser):
    return texts(browser, "#edits li")


@pytest.fixture(scope="module")
def discovered(recipe, tmp_path_factory):
    """A discovery whose folder has a name that a shell would take apart."""
    folder = tmp_path_factory.mktemp("edited")
    rows = write_rows(folder / "mine.jsonl", make_rows(60))
    options = ("--recipe", recipe, "--num_clusters", 5, "--no_progress")
    run(main, "discover", rows, "--output_dir", folder / "ada's out", *options)
    return folder / "ada's out"


@pytest.mark.extended
def test_edits_in_the_page_reach_the_next_report(browser, discovered, tmp_path):
    from selenium.webdriver.support.ui import WebDriverWait

    output = shutil.copytree(discovered, tmp_path / "ada's out")
    options = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", options)
    browser.get((output / "report.html").as_uri())
    wait(browser, "return document.querySelector('#map .main-svg') && byId('status').value")
    assert not browser.find_elements("css selector", "#clusters input")
    browser.find_element("css selector", "#editing summary").click()
    wait(browser, "return document.querySelectorAll('#clusters input').length === 5")
    assert not browser.find_element("css selector", "#edit-merge").is_enabled()
    select(browser, 1, 2)
    click(browser, "merge")
    select(browser, 1)
    fill_in(browser, "rename", 'it\'s: "founded"')
    select(browser, 0)
    fill_in(browser, "split", "2")
    select(browser, "0.2", 3)
    click(browser, "reject")
    select(browser, 4)
    click(browser, "direction")
    edits = [
        'merge: ["1", "2"]',
        'rename: {cluster: "1", name: "it\'s: \\"founded\\""}',
        'split: {cluster: "0", into: 2}',
        'reject: ["3", "0.2"]',
    ]
    assert listed_edits(browser) == [*edits, 'direction: ["4"]']
    click(browser, "undo")
    assert listed_edits(browser) == edits
    assert not browser.find_element("css selector", "input[data-id='2']").is_enabled()
    assert any("merged into" in text for text in texts(browser, "#clusters li"))
    select(browser, 4)
    fill_in(browser, "rename", 'it\'s: "founded"')  # which another one is called
    assert "Another cluster is called" in texts(browser, "#selected")[0]
    assert listed_edits(browser) == edits
    fill_in(browser, "note", "ask Ada: <b>who</b>")
    click(browser, "download")
    WebDriverWait(browser, 30).until(lambda _: (tmp_path / "edits.yaml").exists())
    command = browser.find_element("css selector", "#edit-command").text
    assert shlex.split(command) == ["siamure", "edit", str(output), "edits.yaml"]
    click(browser, "copy")
    wait(browser, "return /command/.test(byId('selected').textContent)")
    run(main, "edit", output, tmp_path / "edits.yaml")

    browser.get((output / "report.html").as_uri())
    wait(browser, "return document.querySelector('#map .main-svg') && byId('status').value")
    names = texts(browser, "#clusters button")
    assert any(name.startswith('it\'s: "founded"\n') for name in names)
    assert any(name.startswith("no relation\n") for name in names)
    assert any("ask Ada: <b>who</b>" in name for name in names)
    assert not browser.find_elements("css selector", "#clusters b")
    ids = browser.execute_script("return clusters.map((cluster) => cluster.id)")
    assert sorted(ids) == ["0.1", "1", "4"]
    browser.find_element("css selector", "#editing summary").click()
    assert len(listed_edits(browser)) == 5  # what was edited stays in the file
    assert not browser.find_element("css selector", "#edit-undo").is_enabled()
    select(browser, "0.1")
    fill_in(browser, "rename", "second")
    (tmp_path / "edits.yaml").unlink()
    click(browser, "download")
    WebDriverWait(browser, 30).until(lambda _: (tmp_path / "edits.yaml").exists())
    run(main, "edit", output, tmp_path / "edits.yaml")
    names = {
        cluster["name"] for cluster in content((output / "report.html").read_text())["clusters"]
    }
    assert {"second", 'it\'s: "founded"'} <= names
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.extended
def test_edits_from_the_keyboard_and_on_a_phone(browser, discovered, tmp_path):
    from selenium.webdriver.common.keys import Keys

    size = {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get((discovered / "report.html").as_uri())
    wait(browser, "return document.querySelector('#map .main-svg') && byId('status').value")
    browser.find_element("css selector", "#editing summary").send_keys(Keys.ENTER)
    wait(browser, "return document.querySelectorAll('#clusters input').length === 5")
    for cluster in (0, 3):
        browser.find_element("css selector", f"input[data-id='{cluster}']").send_keys(Keys.SPACE)
    browser.find_element("css selector", "#edit-merge").send_keys(Keys.ENTER)
    assert listed_edits(browser) == ['merge: ["0", "3"]']
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    browser.find_element("css selector", "#edit-undo").send_keys(Keys.SPACE)
    assert listed_edits(browser) == []
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
