"""POST /items, PUT and DELETE /items/{id}, POST /items/delete: what changes the collection.

Places are taken before a body is read. Whatever is answered with 2xx is durable and
found by the next search.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from crossmodal.errors import UnknownItemError
from crossmodal.items import ITEM_ID
from index.writing.operations import MOST_BY_FILTER, Delete, Receipt, Status
from service.dependencies import WRITE, runtime
from service.http.bodies import JSON, MULTIPART, check_body, parse_json, read_body
from service.openapi import documentation, item_documentation, schemas
from service.problems import invalid_field
from service.runtime import Runtime
from service.searching.parameters import parse_parameters, validate
from service.searching.presentation import json_response
from service.searching.queries import is_upload
from service.storing.clips import ClipFields, NewClipFields, read_clip, read_clip_item
from service.storing.deletions import DeletionRequest
from service.storing.idempotency import idempotency, idempotency_key
from service.storing.new_items import IngestRequest, ItemFields, read_item
from service.storing.writing import (
    Submitted,
    acknowledged,
    item_fields,
    read_items,
    result_fields,
    submit,
    writable,
)

router = APIRouter(tags=["collection"], dependencies=[Depends(WRITE)])


@router.post(
    "/items",
    response_model=None,
    responses=documentation.responses(
        schemas.WrittenReply,
        documentation.WRITE_ERRORS,
        also={201: schemas.WrittenReply},
    ),
    openapi_extra=item_documentation.ingest_operation(),
    summary="Store items, or a clip",
)
async def create_items(request: Request) -> Response:
    """Store up to 256 items, each with its own status, or one clip.

    An item is `created`, `replaced` (if asked to), `exists` already and stays as it is, or
    is `refused` with a code; one that is refused takes no other with it. A clip is
    embedded in every modality that it has and the model encodes; 201 if it is new.
    """
    service = runtime(request)
    writable(service)
    key = idempotency_key(request)
    with service.uploads if is_upload(request) else service.writes:
        if is_upload(request):
            written = await acknowledged(service, _clip(request, service, key))
        else:
            written = await acknowledged(service, _items(request, service, key))
    results = item_fields(written)
    created = is_upload(request) and results[0]["status"] == Status.CREATED
    headers = {"location": f"/items/{results[0]['id']}"} if created else {}
    return _reply(request, {"items": results}, written.receipt, headers, created=created)


@router.put(
    "/items/{item_id}",
    response_model=None,
    responses=documentation.responses(
        schemas.ItemWrittenReply,
        (*documentation.WRITE_ERRORS, 404),
        also={201: schemas.ItemWrittenReply},
    ),
    openapi_extra=item_documentation.put_operation(),
    summary="Store an item under its id",
)
async def put_item(request: Request) -> Response:
    """Store an item, or a clip, in place of whatever has the id."""
    service = runtime(request)
    writable(service)
    key = idempotency_key(request)
    item_id = request.path_params["item_id"]
    if not ITEM_ID.fullmatch(item_id):
        raise invalid_field("item_id", "expected 1 to 64 letters, digits, '_' or '-'")
    with service.uploads if is_upload(request) else service.writes:
        if is_upload(request):
            written = await acknowledged(service, _clip(request, service, key, item_id))
        else:
            written = await acknowledged(service, _item(request, service, key, item_id))
    (result,) = written.receipt.results
    created = result.status == Status.CREATED
    headers = {"location": f"/items/{item_id}"} if created else {}
    return _reply(request, result_fields(result), written.receipt, headers, created=created)


@router.delete(
    "/items/{item_id}",
    response_model=None,
    responses=documentation.responses(
        schemas.ItemWrittenReply, (*documentation.KEPT_ERRORS, 404, 422)
    ),
    openapi_extra=documentation.id_operation(writes=True),
    summary="Delete one item",
)
async def delete_item(request: Request) -> Response:
    """Delete an item with its vectors, and its media unless another item shows them."""
    service = runtime(request)
    collection = writable(service)
    key = idempotency_key(request)
    item_id = request.path_params["item_id"]
    if not ITEM_ID.fullmatch(item_id):
        raise UnknownItemError("no stored item bears this id")

    def work() -> Submitted:
        known = idempotency(key, request)
        return submit(collection, [Delete(ids=[item_id])], known)

    with service.writes:
        written = await acknowledged(service, service.writing(work))
    (result,) = written.receipt.results
    if result.status == Status.MISSING:
        raise UnknownItemError("no stored item bears this id")
    return _reply(request, result_fields(result), written.receipt)


@router.post(
    "/items/delete",
    response_model=None,
    responses=documentation.responses(
        schemas.DeletedReply, (*documentation.KEPT_ERRORS, *documentation.BODY_ERRORS)
    ),
    openapi_extra=item_documentation.deletion_operation(),
    summary="Delete items by their ids or by a filter",
)
async def delete_items(request: Request) -> Response:
    """Delete up to 256 items by id, or up to 1,000 that a filter admits, in one step.

    Each is `deleted`, or was `missing`. `more` says that a filter may admit others: ask
    again, with another idempotency key, until it is false.
    """
    service = runtime(request)
    collection = writable(service)
    key = idempotency_key(request)
    limit = service.settings.max_json
    with service.writes:
        check_body(request, limit, JSON)
        raw = await read_body(request, limit)

        def work() -> Submitted:
            known = idempotency(key, request, raw)
            asked = validate(DeletionRequest, parse_json(raw))
            return submit(collection, [asked.meant()], known)

        written = await acknowledged(service, service.writing(work))
    results = [result_fields(result) for result in written.receipt.results]
    deleted = sum(result["status"] == Status.DELETED for result in results)
    more = deleted >= MOST_BY_FILTER
    fields = {"items": results, "deleted": deleted, "more": more}
    return _reply(request, fields, written.receipt)


async def _items(request: Request, service: Runtime, key: str | None) -> Submitted:
    """Read several items."""
    collection = service.collection
    limit = service.settings.max_json
    check_body(request, limit, JSON, MULTIPART)
    raw = await read_body(request, limit)

    def work() -> Submitted:
        asked = parse_parameters(IngestRequest, parse_json(raw), request.query_params)
        known = idempotency(key, request, raw)
        return submit(collection, read_items(service, collection, asked), known)

    return await service.writing(work)


async def _item(
    request: Request, service: Runtime, key: str | None, item_id: str
) -> Submitted:
    """Read the item that takes a place."""
    collection = service.collection
    limit = service.settings.max_json
    check_body(request, limit, JSON, MULTIPART)
    raw = await read_body(request, limit)

    def work() -> Submitted:
        fields = parse_parameters(ItemFields, parse_json(raw), request.query_params)
        known = idempotency(key, request, raw)
        put = read_item(service, collection, item_id, fields, replace=True)
        return submit(collection, [put], known)

    return await service.writing(work)


async def _clip(
    request: Request, service: Runtime, key: str | None, item_id: str | None = None
) -> Submitted:
    """Read a clip: a new one, or the one that takes a place."""
    collection = service.collection
    clip, params = await read_clip(request, service.settings)

    def work() -> Submitted:
        given, query = parse_json(params), request.query_params
        known = idempotency(key, request, clip, params)
        fields: ClipFields
        if item_id is None:
            fields = new = parse_parameters(NewClipFields, given, query)
            named, replace = new.id, new.replace
        else:
            fields = parse_parameters(ClipFields, given, query)
            named, replace = item_id, True
        put = read_clip_item(service, collection, clip, named, fields, replace=replace)
        return submit(collection, [put], known)

    return await service.embedding(work)


def _reply(
    request: Request,
    body: Mapping[str, Any],
    receipt: Receipt,
    headers: Mapping[str, str] | None = None,
    *,
    created: bool = False,
) -> Response:
    more = {"idempotent-replayed": "true"} if receipt.replayed else {}
    return json_response(
        request,
        {**body, "view_seq": receipt.seq},
        runtime(request).collection.view,
        status=201 if created else 200,
        headers={**(headers or {}), **more},
    )
