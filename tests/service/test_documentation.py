"""OpenAPI and docs/http.md: they tell all, and the same, as the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from service.app import create_app
from service.problems import STATUS
from service.routes.reference import render
from service.settings import Settings

ACCESS = Path(__file__).parent / "access.txt"
GUIDE = Path(__file__).parents[2] / "docs" / "http.md"


@pytest.fixture(scope="module")
def document(collection: Any, decoder: Any) -> dict[str, Any]:
    schema: dict[str, Any] = create_app(Settings(), collection, decoder).openapi()
    return schema


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    names = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert names <= set(document["components"]["schemas"])
    assert "ProblemReply" in names


def test_every_body_of_a_search_is_told(document: dict[str, Any]) -> None:
    search = document["paths"]["/search/{direction}"]["post"]
    assert set(search["requestBody"]["content"]) == {
        "application/json",
        "multipart/form-data",
        "application/octet-stream",
    }
    told = {parameter["name"] for parameter in search["parameters"]}
    assert {
        "direction",
        "k",
        "offset",
        "exclude",
        "filter",
        "start",
        "end",
        "exact",
    } <= told


def test_the_page_to_read_marks_code_and_escapes_the_rest(document: dict[str, Any]) -> None:
    page = render(document)
    assert "<li>429: <code>busy</code> or <code>rate-limited</code></li>" in page
    assert "`" not in page
    odd = {"description": "`<b>` & c", "responses": {}}
    assert "<p><code>&lt;b&gt;</code> &amp; c</p>" in render(
        {"info": document["info"], "paths": {"/": {"get": odd}}}
    )


def test_statuses_are_declared_and_errors_are_problems(document: dict[str, Any]) -> None:
    known = {kind.status for kind in STATUS.values()}
    for path, method, operation in operations(document):
        statuses = {int(status) for status in operation["responses"]}
        assert statuses <= known | {200, 201, 202, 206, 304}, path
        if path != "/livez":
            assert 503 in statuses, (path, method)
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert set(answer["content"]) == {"application/problem+json"}


def test_errors_that_a_kind_of_operation_has_are_declared(document: dict[str, Any]) -> None:
    rows = [row.split() for row in ACCESS.read_text().splitlines() if " 401 " in row]
    keyed = {(row[1], row[0].lower()) for row in rows}
    assert len(keyed) > 10
    for path, method, operation in operations(document):
        wanted = {401, 403, 429, 500, 503} if (path, method) in keyed else set()
        if "requestBody" in operation:
            wanted |= {400, 408, 411, 413, 415, 422}
        if "{item_id}" in path:
            wanted.add(404)
        if re.search(r"{(direction|modality)}", path):
            wanted.add(422)
        assert wanted <= set(map(int, operation["responses"])), (method, path)


def test_the_guide_names_every_operation_and_code(document: dict[str, Any]) -> None:
    guide = GUIDE.read_text()
    for path, method, _ in operations(document):
        assert f"`{method.upper()} {path}`" in guide, (method, path)
    for code, kind in STATUS.items():
        assert re.search(rf"\| {kind.status} \|[^\n]*`{code}`", guide), code


def test_the_guide_names_every_setting() -> None:
    guide = GUIDE.read_text()
    for name in Settings.model_fields:
        assert f"`EARSHOT_{name.upper()}`" in guide, name
