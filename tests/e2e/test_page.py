"""The page at / in a real Chromium, on the running product: what a person sees and does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from autos.local.pdpj.control import Failure, FailureKind
from autos.local.pdpj.model import ContentKind
from shared.domain.cnj import ProcessNumber
from tests.browser import Looked, chromium, looking, running_browser
from tests.e2e.journey import ask
from tests.product import Product

NumberFactory = Callable[[], ProcessNumber]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium()
    with running_browser() as browser:
        yield browser


def opened(looked: Looked, product: Product, place: str = "") -> Page:
    """The page with the key, given as `make up` gives it; at ``place``, as in /cases/NUMBER."""
    page = looked.page
    page.goto(f"{product.api_url}/#key={product.api_key}")
    expect(
        page.get_by_role("navigation", name="Sections").or_(page.get_by_role("navigation", name="Seções"))
    ).to_be_visible()
    if place:
        page.evaluate("place => { location.hash = place }", f"#{place}")
    return page


def test_a_case_from_the_request_to_its_documents(
    browser: Browser, product: Product, process_number: NumberFactory
) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=12, size=30_000, kind=ContentKind.PDF, degrees=1, latency=3)
    wrong = number[:8] + f"{(int(number[8:10]) + 1) % 100:02d}" + number[10:]
    with looking(browser) as looked:
        page = opened(looked, product)
        assert product.api_key not in page.url
        assert page.evaluate("[sessionStorage.length, localStorage.length]") == [0, 0]
        outside = page.locator("footer a").evaluate_all("all => all.map(({target, rel}) => [target, rel])")
        assert outside == [["_blank", "noopener"]] * 3

        field = page.get_by_label("Case number")
        field.press_sequentially(wrong.replace("-", "").replace(".", ""))
        assert field.input_value() == wrong
        expect(page.get_by_text(f"with these digits they would be {number[8:10]}")).to_be_visible()
        expect(page.get_by_role("button", name="Ask", exact=True)).to_be_disabled()
        field.fill(number)
        expect(page.get_by_text(f"Valid: TJSP, {number[11:15]}.")).to_be_visible()
        page.get_by_role("button", name="Ask", exact=True).click()

        expect(page.get_by_role("heading", name=number)).to_be_visible()
        expect(page.get_by_text("live", exact=True)).to_be_visible()
        looked.screenshot("case-under-way")
        expect(page.locator(".job").get_by_text("Complete", exact=True)).to_be_visible()
        expect(page.get_by_text("12 of 12 documents")).to_be_visible()
        rows = page.locator("table.documents tbody")
        expect(rows.get_by_text("Available", exact=True)).to_have_count(12)
        assert rows.locator("td:first-child").all_inner_texts() == [str(position) for position in range(1, 13)]
        looked.screenshot("case")

        view = page.get_by_role("button", name=re.compile("^View ")).first
        view.click()
        frame = page.frame_locator("dialog iframe")
        source = page.locator("dialog iframe").get_attribute("src")
        assert source is not None and source.startswith(product.stack()["s3"]["endpoint"])
        expect(frame.locator("embed, body").first).to_be_visible()
        looked.screenshot("preview")
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_have_count(0)


def test_a_failure_is_told_in_words_and_tried_again(
    browser: Browser, product: Product, process_number: NumberFactory
) -> None:
    number = process_number()
    refused = Failure(kind=FailureKind.NO_ACCESS_403, document=2, times=1)
    product.simulator.put_case(number, documents=4, size=2_000, degrees=1, failures=[refused])
    ask(product, number)
    product.wait_for_end(number)
    with looking(browser) as looked:
        page = opened(looked, product, f"/cases/{number}")
        expect(page.get_by_text("Partly complete")).to_be_visible()
        expect(page.get_by_text("The account has no access to this case or document.")).to_be_visible()
        page.locator("tbody", has_text="no_access").get_by_role("button", expanded=False).first.click()
        expect(page.get_by_text("In the words of the service:")).to_be_visible()
        # Another try does not change this reason, so it is not what the page offers first.
        expect(page.get_by_role("button", name="Try the failed ones again")).to_have_class("quiet")
        expect(page.locator(".progress > i")).to_have_attribute("style", re.compile("left: 75%; width: 25%"))
        looked.screenshot("failure")
        page.get_by_role("button", name="Download again").click()
        expect(page.locator("table.documents").get_by_text("Available", exact=True)).to_have_count(4)


def test_what_was_given_up_is_sent_again_from_the_page(
    browser: Browser, product: Product, process_number: NumberFactory
) -> None:
    """By the keyboard alone; the dialog has no barriers and fits a phone."""
    number = process_number()
    missing = Failure(kind=FailureKind.NOT_FOUND_404, document=1, times=1)
    product.simulator.put_case(number, documents=2, size=2_000, degrees=1, failures=[missing])
    ask(product, number)
    product.wait_for_end(number)
    with looking(browser) as looked:
        page = opened(looked, product, "/system")
        page.set_viewport_size({"width": 360, "height": 740})
        row = page.locator("table.letters tbody tr", has_text=number)
        expect(row.get_by_text("The source does not have this document.")).to_be_visible()
        row.get_by_role("button", name="Send again").press("Enter")
        dialog = page.get_by_role("dialog", name="Send it again?")
        expect(dialog).to_be_visible()
        looked.screenshot("dead-letter")
        assert looked.is_as_wide_as_the_window() and not looked.barriers()
        dialog.get_by_role("button", name="Send again").press("Enter")
        expect(dialog).to_have_count(0)
        expect(row.get_by_role("status")).to_contain_text("Sent again")
        expect(row.get_by_role("status")).to_be_focused()
        page.evaluate("place => { location.hash = place }", f"#/cases/{number}")
        expect(page.locator("table.documents").get_by_text("Available", exact=True)).to_have_count(2)


def test_a_webhook_is_seen_with_its_attempts_and_sent_again(
    browser: Browser, product: Product, process_number: NumberFactory
) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=2, size=2_000)
    path = f"/page/{number}"
    product.receiver.answer(path, 500, times=1)
    ask(product, number, webhook_url=product.receiver.url(path))
    product.wait_for_webhook(path, 2)
    with looking(browser) as looked:
        page = opened(looked, product, f"/cases/{number}/deliveries")
        expect(page.locator("table.deliveries").get_by_text("Delivered", exact=True)).to_be_visible()
        page.locator("table.deliveries td.status").first.click()
        expect(page.get_by_text("HTTP 500")).to_be_visible()
        expect(page.get_by_text("The receiver answered 500.")).to_be_visible()
        page.get_by_text("Request headers").first.click()
        expect(page.locator("pre").first).to_contain_text("webhook-signature: v1,")
        looked.screenshot("delivery")
        page.get_by_role("button", name="Send again").click()
        again = product.wait_for_webhook(path, 3)
        assert len({one.webhook_id for one in again}) == 1
        expect(page.get_by_text("Attempt 3")).to_be_visible()

        page.get_by_role("link", name="Path").click()
        expect(page.locator("table.path").get_by_text("Webhook, attempt 2:")).to_be_visible()
        expect(page.locator("table.path").get_by_text("Request accepted")).to_be_visible()
        looked.screenshot("path")


def test_a_large_case_has_a_page_of_rows(browser: Browser, product: Product, process_number: NumberFactory) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=10_000, size=100)
    product.client.post(f"/processes/{number}/download-documents", params={"documents": "false"}).raise_for_status()
    with looking(browser) as looked:
        page = opened(looked, product, f"/cases/{number}")
        expect(page.get_by_text("1–100 of 10,000")).to_be_visible()
        assert page.locator("table.documents tbody").count() == 100
        page.get_by_role("button", name="Next").click()
        expect(page.get_by_text("101–200 of 10,000")).to_be_visible()
        assert page.locator("table.documents tbody").count() == 100


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_without_barriers_and_fits_a_phone(
    browser: Browser, product: Product, process_number: NumberFactory, scheme: str
) -> None:
    """In Portuguese, by the browser's language; nothing has to be scrolled sideways at 360 px."""
    number = process_number()
    refused = Failure(kind=FailureKind.NO_ACCESS_403, document=1)
    product.simulator.put_case(number, documents=5, size=2_000, failures=[refused], sealed_percent=40)
    ask(product, number, webhook_url=product.receiver.url(f"/page/{number}"))
    product.wait_for_webhook(f"/page/{number}")
    views = {
        "/cases": "Pedir um processo",
        f"/cases/{number}": "Incompleto",
        f"/cases/{number}/deliveries": "Entregue",
        f"/cases/{number}/path": "Pedido aceito",
        "/deliveries": "Entregas",
        "/endpoints": "Último sucesso",
        "/system": "O que espera",
    }
    with looking(browser, locale="pt-BR", color_scheme=scheme) as looked:
        page = opened(looked, product)
        assert page.evaluate("document.documentElement.lang") == "pt-BR"
        for place, text in views.items():
            page.set_viewport_size({"width": 1180, "height": 800})
            page.evaluate("place => { location.hash = place }", f"#{place}")
            # What a list of choices has is there, and not seen.
            expect(page.get_by_text(text).locator("visible=true").first).to_be_visible()
            for name, width, height in (("wide", 1180, 800), ("phone", 360, 740)):
                page.set_viewport_size({"width": width, "height": height})
                looked.screenshot(f"{place.strip('/').replace(number, 'case').replace('/', '-')}-{scheme}-{name}")
                assert looked.is_as_wide_as_the_window(), (place, width)
                assert not looked.barriers(), place


def test_without_a_good_key_it_asks_for_one(browser: Browser, product: Product) -> None:
    with looking(browser) as looked:
        page = looked.page
        page.goto(product.api_url)
        page.get_by_label("API key").fill("autos_of_nobody")
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("alert")).to_have_text("This key is unknown, has expired or was revoked.")
        assert not [said for said in looked.said if "401" not in said]
        looked.said.clear()
        page.get_by_label("API key").fill(product.api_key)
        page.get_by_label("Keep it until this tab is closed").check()
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("heading", name="Ask for a case")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="Ask for a case")).to_be_visible()
        page.get_by_role("button", name="Forget key").click()
        assert page.evaluate("sessionStorage.length") == 0
        page.reload()
        expect(page.get_by_label("API key")).to_be_visible()


def test_what_is_accepted_survives_a_kill_of_anything_that_the_page_makes(browser: Browser, product: Product) -> None:
    """Three clicks: the tab, ten cases, a kill -9; and then every other service and server, one after the other."""
    address = product.page_url()
    with looking(browser) as looked:
        page = looked.page
        page.goto(address)
        page.get_by_role("link", name="Try to break it").click()
        page.get_by_role("button", name="Ask for 10 cases").click()
        board = page.locator("dl.board")
        expect(board).to_contain_text("Accepted10")
        for victims in (("downloader", "api", "status", "notifier"), ("kafka", "postgres", "s3")):
            old = {name: product.pid(name) for name in victims}
            for name in victims:
                page.get_by_role("button", name=f"Kill {name}", exact=True).click()
            for name, pid in old.items():
                product.wait_for_restart(name, pid)
        expect(board).to_contain_text("Delivered10", timeout=120_000)
        expect(board).to_contain_text("Lost0")
        looked.screenshot("break")
        # While the api was dead the page could not ask it.
        looked.said[:] = [said for said in looked.said if "ERR_" not in said and "503" not in said]
