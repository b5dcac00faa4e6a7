"""The interface view: the service's own reference, read with the key that the page has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.service.web.fake_service import INTERFACE, FakeService


@pytest.mark.parametrize("key", [None, "open sesame"])
def test_the_reference_is_read_and_saved(
    page: Page, service: FakeService, key: str | None
) -> None:
    service.key = key
    page.goto(service.base_url)
    if key:
        page.get_by_label("API key").fill(key)
        page.keyboard.press("Enter")
    link = page.get_by_role("link", name="HTTP interface")
    link.click()

    operations = page.locator("#reference h2")
    expect(operations).to_have_text(["GET /items", "POST /evaluate"])
    expect(page.locator("#reference code", has_text="items").last).to_have_text("items")
    expect(link).to_have_attribute("aria-current", "page")
    expect(page.locator("#search")).to_be_hidden()

    with page.expect_download() as saving:
        page.get_by_role("link", name="OpenAPI document").click()
    assert saving.value.suggested_filename == "openapi.json"
    assert json.loads(Path(saving.value.path()).read_text()) == INTERFACE
    asked = [one for one in service.asked if one["path"] in ("/docs", "/openapi.json")]
    assert [one["path"] for one in asked] == ["/docs", "/openapi.json"]
    assert {one["authorization"] for one in asked} == {key and f"Bearer {key}"}


def test_a_reference_that_does_not_come_is_asked_for_again(
    page: Page, service: FakeService
) -> None:
    page.goto(service.base_url)
    expect(page.locator("#facts")).not_to_be_empty()
    page.route("**/docs", lambda route: route.abort(), times=1)
    page.get_by_role("link", name="HTTP interface").click()
    trouble = page.locator("#interface-trouble")
    expect(trouble).to_contain_text("does not answer")

    trouble.get_by_role("button", name="Try again").click()
    expect(page.locator("#reference h2")).to_have_count(2)
    expect(trouble).to_be_empty()
