"""A real Chromium for tests of the page, driven by Playwright; what its console says is held against the page."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
SCREENSHOTS: Final = Path(__file__).parents[1] / "build" / "screenshots"
_AXE: Final = Path(sys.prefix) / "browser" / "node_modules" / "axe-core" / "axe.min.js"
_SECONDS: Final = 60.0

expect.set_options(timeout=_SECONDS * 1000)


def chromium() -> str:
    """The program. Skips the test where there is none."""
    named = os.environ.get("AUTOS_TEST_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium), or AUTOS_TEST_CHROMIUM")
    return found


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Chromium without a window."""
    program = chromium()
    # As root it has no sandbox of its own; nothing but our page is shown.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class Looked:
    """A page, and everything that its console and its errors said."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(_SECONDS * 1000)
        self.said: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.said.append(f"{message.type}: {message.text} {message.location.get('url', '')}")

    def screenshot(self, name: str) -> None:
        """Keep what is seen as build/screenshots/NAME.png."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def is_as_wide_as_the_window(self) -> bool:
        """Whether nothing has to be scrolled sideways."""
        wide = self.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        return bool(wide)

    def barriers(self) -> list[str]:
        """What axe-core finds (WCAG 2.2 A and AA, and good practice). Skips where it is not installed."""
        if not _AXE.exists():
            pytest.skip("needs axe-core (requirements/browser, which `make test` installs where Node is there)")
        self.page.evaluate(f"{_AXE.read_text()}; undefined")
        found: dict[str, Any] = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']}: {json.dumps([node['target'] for node in one['nodes']][:4])}" for one in found["violations"]
        ]


@contextmanager
def looking(browser: Browser, **options: Any) -> Iterator[Looked]:
    """A page of a fresh context; afterwards its console has said nothing."""
    context = browser.new_context(**{"viewport": {"width": 1180, "height": 800}, "locale": "en-GB", **options})
    try:
        looked = Looked(context)
        yield looked
        assert not looked.said, looked.said
    finally:
        context.close()
