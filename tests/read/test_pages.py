"""The pages in a real browser: `make test-pages`, with Debian's Chromium or the one that Playwright brings."""

from __future__ import annotations

import functools
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from reference.commands.cli import main
from reference.read.align import PAIRS
from reference.read.evidence import FILES
from tests.tools.evidence import EVIDENCE, HOSTILE

pytestmark = pytest.mark.pages

PAGES = ("index", *PAIRS, "numbers", "evidence")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
PLOT = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 20"><text y="15">a plot</text></svg>'


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, with all evidence and with a text, both of them hostile."""
    build, pages = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("pages")
    (build / "bench").mkdir()
    for kind, content in EVIDENCE.items():
        (build / FILES[kind]).write_text(json.dumps(content), encoding="utf-8")
    (build / "bench" / "a plot.svg").write_text(PLOT, encoding="utf-8")
    (build / "hostile.txt").write_text(HOSTILE, encoding="utf-8")
    assert main(["read", "--html", str(pages), "--build", str(build), "--text", str(build / "hostile.txt")]) == 0
    return pages


@pytest.fixture(scope="session")
def places(folder: Path) -> Iterator[dict[str, str]]:
    """Where the pages are opened from."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"disk": folder.as_uri(), "server": f"http://127.0.0.1:{server.server_port}"}
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    try:
        from playwright import sync_api  # noqa: PLC0415  (a missing one is to be said in words)
    except ModuleNotFoundError:
        pytest.fail("Playwright is not installed; `make test-pages` installs it")
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    with sync_api.sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except sync_api.Error as error:
            reason = str(error).strip().splitlines()[0]
            pytest.fail(f"no Chromium starts here ({reason}); `apt-get install chromium` brings one")
        yield started
        started.close()


Opened = Callable[..., Any]


@pytest.fixture
def opened(browser: Any, places: dict[str, str]) -> Iterator[Opened]:
    """Open a page; at the end nothing may have been said on the console, and nothing asked for outside."""
    contexts, said, asked = [], [], []

    def open_page(name: str, place: str = "disk", width: int = 1440, theme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{places[place]}/{name}.html")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not said
    assert not [url for url in asked if not url.startswith((*places.values(), "data:"))]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("place", ["disk", "server"])
def test_a_page_loads_and_does_not_scroll_sideways(name: str, place: str, opened: Opened) -> None:
    for width in (360, 1440, 1920):
        page = opened(name, place, width)
        assert page.locator("h1").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate("document.documentElement.lang") == "en"


def test_a_page_weighs_less_than_500_kb(folder: Path) -> None:
    for file in folder.iterdir():
        assert file.stat().st_size < 500_000, file.name


class Links(HTMLParser):
    """What a page links to, and the places in it that can be linked to."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.to, self.ids = [], set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.to += [given[name] for name in ("href", "src") if given.get(name)]
        self.ids.add(given.get("id"))


def test_links_are_whole(folder: Path) -> None:
    pages = {file.name: Links(file) for file in folder.glob("*.html")}
    assert set(pages) == {f"{name}.html" for name in PAGES}
    for name, page in pages.items():
        for link in page.to:
            if link.startswith(("https://", "data:")):
                continue
            file, _, place = link.partition("#")
            assert (folder / unquote(file or name)).is_file(), f"{name}: {link}"
            assert not place or place in pages[file or name].ids, f"{name}: {link}"
    reached = {link.partition("#")[0] for page in pages.values() for link in page.to}
    assert set(pages) <= reached


COLUMNS = (".formula", ".exact", ".numpy", ".torch")
MARKED = "(scope) => [...document.querySelectorAll(`${scope} .symbol.on`)].map((e) => e.dataset.symbol)"


@pytest.mark.parametrize("name", PAIRS)
def test_every_symbol_is_marked_wherever_it_stands(name: str, opened: Opened) -> None:
    page = opened(name)
    for button in page.locator(".legend button").all():
        button.focus()
        symbol = button.get_attribute("data-symbol")
        on = page.evaluate(MARKED, "main")
        assert set(on) == {symbol}
        assert len(on) == page.locator("main [data-symbol]").evaluate_all(
            "(all, symbol) => all.filter((e) => e.dataset.symbol === symbol).length", symbol
        )
        assert len(on) > 1, f"{symbol} stands in the legend alone"


@pytest.mark.parametrize(("name", "symbol"), [("classifier", "z"), ("skip-gram", "h"), ("softmax", "h"), ("cbow", "h")])
def test_pointing_at_a_symbol_in_a_column_marks_it_in_all_of_them(name: str, symbol: str, opened: Opened) -> None:
    page = opened(name)
    for column in COLUMNS:
        page.mouse.move(0, 0)
        assert page.evaluate(MARKED, "main") == []
        page.locator(f'{column} [data-symbol="{symbol}"]').first.hover()
        for other in COLUMNS:
            assert set(page.evaluate(MARKED, other)) == {symbol}, (column, other)


BOXES = """() => {
  const title = [...document.querySelectorAll(".row h3")].find((title) => title.innerText === "The last layer");
  const box = (name) => title.closest(".row").querySelector(`.${name}`).getBoundingClientRect();
  return Object.fromEntries(["what", "exact", "numpy", "torch"].map((name) => [name, box(name)]));
}"""


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (800, [["what", "exact", "numpy", "torch"]]),
        (1440, [["what", "exact"], ["numpy"], ["torch"]]),
        (1920, [["what"], ["exact"], ["numpy"], ["torch"]]),
    ],
)
def test_the_exact_form_stands_below_its_formula_or_on_a_wide_screen_beside_it(
    width: int, columns: list[list[str]], opened: Opened
) -> None:
    boxes = opened("classifier", width=width).evaluate(BOXES)
    tops = [boxes[column[0]]["top"] for column in columns]
    assert max(tops) - min(tops) < 1
    for column in columns:
        assert len({boxes[name]["left"] for name in column}) == 1
        assert all(boxes[above]["bottom"] <= boxes[below]["top"] for above, below in pairwise(column))
    for left, right in pairwise(columns):
        assert boxes[left[0]]["right"] < boxes[right[0]]["left"]


def test_a_pressed_symbol_stays_until_it_is_let_go(opened: Opened) -> None:
    page = opened("embedding")
    button = page.locator('.legend [data-symbol="W"]')
    button.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.locator("h1").click()
    assert set(page.evaluate(MARKED, ".numpy")) == {"W"}
    assert button.get_attribute("aria-pressed") == "true"
    page.keyboard.press("Escape")
    assert page.evaluate(MARKED, "main") == []
    assert button.get_attribute("aria-pressed") == "false"


def values(page: Any, story: str, array: str) -> list[str]:
    return page.locator(f'[data-story={story}] [data-array="{array}"] td:not(.corner)').all_inner_texts()


@pytest.mark.parametrize("story", ["bags", "words"])
def test_the_slider_goes_through_training_by_keyboard(story: str, opened: Opened) -> None:
    page = opened("numbers")
    told = json.loads(page.locator(f"[data-story={story}] script").text_content())
    slider = page.locator(f"[data-story={story}] input[type=range]")
    slider.focus()
    seen = []
    for key, at in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", -1), ("Home", 0)):
        page.keyboard.press(key)
        step = told["runs"][0]["steps"][at]
        shown = values(page, story, "table")
        assert [float(text.replace("−", "-")) for text in shown] == [
            pytest.approx(x, abs=0.0051) for row in step["table"] for x in row
        ]
        loss = page.locator(f"[data-story={story}] output").inner_text()
        assert float(loss.split("loss ")[1]) == pytest.approx(step["loss"][0][0], rel=6e-3)
        seen.append(shown)
    assert seen[0] == seen[2]
    assert seen[0] != seen[1] != seen[3] != seen[4]


def test_the_row_gradients_show_which_rows_were_touched_and_how_often(opened: Opened) -> None:
    page = opened("numbers")
    rows = page.locator('[data-story=bags] [data-array="d_table"] tr')
    assert rows.locator("th").all_inner_texts() == ["0", "1×2", "2×1", "3×1", "4×1", "5×2", "6×1", "7×1", "8×1", "9×2"]
    assert rows.nth(0).locator("td").all_inner_texts() == ["–"] * 5
    assert "–" not in "".join(rows.nth(1).locator("td").all_inner_texts())
    sums = page.locator("[data-story=bags] .sums figure")
    assert [text.split("\n")[0][:5] for text in sums.all_inner_texts()] == ["Row 1", "Row 5", "Row 9"]
    assert all("the row got the sum ✓" in text for text in sums.all_inner_texts())
    page.locator("[data-story=bags] .ids button", has_text="5").first.click()
    marked = page.locator("[data-story=bags] tr.on th").all_inner_texts()
    assert marked == ["5×2", "5×2", "bag 2, id 5", "bag 4, id 5"]


@pytest.mark.parametrize(
    ("story", "mistake", "array", "step"),
    [
        ("bags", "duplicates-overwritten", "d_table", 1),
        ("bags", "logits-for-probabilities", "d_logits", 1),
        ("words", "one-context-subtracted", "d_hidden", 2),
    ],
)
def test_a_planted_mistake_shows_where_the_path_departs(
    story: str, mistake: str, array: str, step: int, opened: Opened
) -> None:
    page = opened("numbers")
    section = page.locator(f"[data-story={story}]")
    before = values(page, story, array)
    section.get_by_label(mistake).check()
    assert f"{mistake}: " in section.locator(".verdict").inner_text()
    assert f"first departs in step {step}, " in section.locator(".verdict").inner_text()
    for _ in range(step - 1):
        section.locator("input[type=range]").press("ArrowRight")
    assert section.locator(".stage.departs").evaluate_all("(all) => all.map((e) => e.dataset.array)") == [array]
    assert section.locator(f'[data-array="{array}"] td.off').count() > 0
    assert section.locator('[data-array="table"] td.off').count() == 0
    if story == "bags" and array == "d_table":
        assert section.locator(".sums figcaption .wrong").count() == 3
    section.get_by_label("none").check()
    section.locator("input[type=range]").press("Home")
    assert section.locator("td.off, .departs").count() == 0
    assert values(page, story, array) == before


def test_a_text_with_a_script_in_it_stays_text(opened: Opened) -> None:
    page = opened("numbers")
    assert page.locator(".passage").inner_text().startswith('One <script>alert("x")</script> two & <b>three</b>')
    assert "script" in page.locator('[data-story=words] [data-array="context"] th').all_inner_texts()


def test_evidence_with_html_in_it_stays_text(opened: Opened) -> None:
    page = opened("evidence")
    assert "<em>" in page.locator("#mistakes").inner_text()
    assert page.locator("#agreement i, #agreement u, #mistakes em, .stamp b").count() == 0
    assert page.locator(".plot img").evaluate("(image) => image.complete && image.naturalWidth > 0")


def test_light_and_dark_follow_the_system_until_a_reader_says_otherwise(opened: Opened) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = opened("index"), opened("index", "server", theme="dark")
    assert light.evaluate(ground) != dark.evaluate(ground)
    dark.locator("button.theme").click()
    assert light.evaluate(ground) == dark.evaluate(ground)
    dark.goto(dark.url.replace("index", "sgd"))
    assert light.evaluate(ground) == dark.evaluate(ground)


FAINT = """() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (rgb) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
    const c = rgb[i] / 255;
    return sum + weight * (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  }, 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const faint = new Set();
  let looked = 0;
  const walk = document.createTreeWalker(document.querySelector("body"), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    const shown = element.getClientRects().length && !element.closest("script, noscript");
    if (!shown || !walk.currentNode.data.trim()) continue;
    const [one, other] = [rgba(getComputedStyle(element).color), ground(element)].map(luminance).sort((a, b) => a - b);
    looked += 1;
    const contrast = (other + 0.05) / (one + 0.05);
    if (contrast < 4.5) faint.add(`${walk.currentNode.data.trim().slice(0, 30)}: ${contrast.toFixed(2)}`);
  }
  return [looked, [...faint]];
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_all_text_stands_out_from_its_ground(name: str, theme: str, opened: Opened) -> None:
    page = opened(name, theme=theme)
    if page.locator(".legend button").count():
        page.locator(".legend button").first.click()
    if name == "numbers":
        page.get_by_label("duplicates-overwritten").first.check()
    looked, faint = page.evaluate(FAINT)
    assert looked > 20
    assert not faint


def test_everything_that_can_be_pressed_is_reached_by_keyboard_and_has_a_name(opened: Opened) -> None:
    page = opened("numbers")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName + (document.activeElement.type ?? '')"))
    assert {"A", "BUTTONbutton", "INPUTrange", "INPUTradio"} <= reached
    assert page.get_by_role("button", name="Light or dark").count() == 1
    named = "(all) => all.filter((e) => e.textContent.trim() || e.labels?.length || e.ariaLabel).length"
    for name in PAGES:
        pressed = opened(name).locator("button, input, a")
        assert pressed.evaluate_all(named) == pressed.count()
