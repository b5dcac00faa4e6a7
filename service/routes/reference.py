"""GET /openapi.json and /docs: the interface described, by the service itself.

The page is plain HTML made here; the usual viewers load scripts from elsewhere, which
the service's own content policy forbids.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request, Response

from service.dependencies import READ
from service.searching.presentation import JSON_TYPE

router = APIRouter(dependencies=[Depends(READ)], include_in_schema=False)


@router.get("/openapi.json")
async def schema(request: Request) -> Response:
    """Return the OpenAPI document."""
    return Response(orjson.dumps(request.app.openapi()), media_type=JSON_TYPE)


@router.get("/docs")
async def reference(request: Request) -> Response:
    """Return the OpenAPI document as a page to read."""
    return Response(render(request.app.openapi()), media_type="text/html; charset=utf-8")


def render(document: dict[str, Any]) -> str:
    """Return an OpenAPI document as HTML."""
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width">'
        f'<link rel="icon" href="/web/icon.svg" type="image/svg+xml"><h1>{title}</h1>'
        f'<p>The same as a document: <a href="/openapi.json">openapi.json</a>.</p>'
        f"{operations}</html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<li><code>{escape(parameter['name'])}</code> ({escape(parameter['in'])}) "
        f"{_marked(_told(parameter))}</li>"
        for parameter in operation.get("parameters", ())
    )
    bodies = "".join(
        f"<li><code>{escape(kind)}</code></li>"
        for kind in operation.get("requestBody", {}).get("content", ())
    )
    answers = "".join(
        f"<li>{escape(str(status))}: {_marked(answer.get('description', ''))}</li>"
        for status, answer in operation["responses"].items()
    )
    return (
        f"<section><h2><code>{escape(method.upper())} {escape(path)}</code></h2>"
        f"<p>{_marked(operation.get('description', operation.get('summary', '')))}</p>"
        + (f"<h3>Parameters</h3><ul>{parameters}</ul>" if parameters else "")
        + (f"<h3>Bodies</h3><ul>{bodies}</ul>" if bodies else "")
        + f"<h3>Answers</h3><ul>{answers}</ul></section>"
    )


def _marked(text: str) -> str:
    """Return HTML of a text whose backticks enclose code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def _told(parameter: dict[str, Any]) -> str:
    schema = parameter.get("schema", {})
    parts = [parameter.get("description") or schema.get("description", "")]
    if schema.get("default") is not None:
        parts.append(f"default {schema['default']}")
    return ", ".join(part for part in parts if part)
