"""GET /items and /items/{id}: what is stored."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from service.dependencies import READ, runtime
from service.openapi import documentation, schemas
from service.searching.parameters import PageParameters, parse_parameters
from service.searching.presentation import item_fields, json_response

router = APIRouter(tags=["collection"], dependencies=[Depends(READ)])

_ERRORS = (*documentation.READ_ERRORS, 409)


@router.get(
    "/items",
    response_model=None,
    responses=documentation.responses(schemas.ItemsReply, (*_ERRORS, 422)),
    openapi_extra=documentation.query_operation(PageParameters),
    summary="Browse the stored items",
)
async def list_items(request: Request) -> Response:
    """Return a page of items by ascending id."""
    service = runtime(request)
    parameters = parse_parameters(PageParameters, {}, request.query_params)
    view = service.collection.view
    with service.telemetry.timed("store"):
        page = view.page(parameters.cursor, parameters.limit)
    body = {
        "items": [item_fields(item, service.media_fields) for item in page.items],
        "next_cursor": page.next_cursor,
    }
    return json_response(request, body, view)


@router.get(
    "/items/{item_id}",
    response_model=None,
    responses=documentation.responses(schemas.ItemWithIdReply, (*_ERRORS, 404)),
    openapi_extra=documentation.id_operation(),
    summary="Look at one item",
)
async def get_item(request: Request) -> Response:
    """Return one stored item."""
    service = runtime(request)
    view = service.collection.view
    with service.telemetry.timed("store"):
        item = view.item(request.path_params["item_id"])
    return json_response(request, item_fields(item, service.media_fields), view)
