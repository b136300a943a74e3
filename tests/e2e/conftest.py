import shutil

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from tests.portal import ROOT, Demo, demo

IMAGES: Final = ROOT / "docs" / "images"
CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
RULES: Final = {"rules": {"target-size": {"enabled": True}}}
# What Chromium calls an error, and is none: a refused form, and what signing out clears.
EXPECTED: Final = (
    "Failed to load resource: the server responded with a status of 422",
    "Clear-Site-Data header on",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the pictures of the README be taken anew."""
    parser.addoption("--screenshots", action="store_true", help=f"write {IMAGES}")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Use the system's Chromium; its sandbox can't be had in a container."""
    found = next(filter(None, map(shutil.which, CHROMIUM)))
    return {**browser_type_launch_args, "executable_path": found, "args": ["--no-sandbox"]}


@pytest.fixture(name="portal")
def _portal(tmp_path: Path) -> Iterator[Demo]:
    with demo(tmp_path) as running:
        yield running
        assert 0 == running.stop(), running.log


@pytest.fixture(name="open_page")
def _open_page(browser: Browser, portal: Demo) -> Iterator[Callable[..., Page]]:
    """Give a page of a context of its own; no script may fail, no address may be missing."""
    contexts = list[BrowserContext]()
    wrong = list[str]()

    def open_page(width: int = 360, height: int = 740, **options: Any) -> Page:
        context = browser.new_context(
            base_url=portal.base_url,
            viewport={"width": width, "height": height},
            locale="fr-BE",
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [] == [text for text in wrong if not text.startswith(EXPECTED)]


@pytest.fixture(name="check")
def _check() -> Callable[[Page], None]:
    """Give what every page must be: no violation for axe, and nothing wider than the window."""

    def check(page: Page) -> None:
        results = Axe().run(page, options=RULES)
        assert 0 == results.violations_count, f"{page.url}\n{results.generate_report()}"
        wide = page.evaluate("document.scrollingElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{page.url} is {wide} px too wide"

    return check


@pytest.fixture(name="picture")
def _picture(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Give what takes a picture for the README, where ``--screenshots`` asks for it."""

    def picture(page: Page, name: str) -> None:
        if request.config.getoption("--screenshots"):
            IMAGES.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")

    return picture
