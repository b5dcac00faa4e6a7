"""The OpenAPI document, fuzzed: each operation with data that fits and data that does not.

``EARSHOT_FUZZ_EXAMPLES`` sets how many requests each operation gets. A hundred and more
are drawn anew each time; fewer are always the same. The service is a process of its own:
hypothesis takes it for an error if another thread draws from `random` while it draws, and
checking types at run time, as tests do, draws from it.
"""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.internal.conjecture import providers

from service.app import create_app
from service.settings import Settings
from tests.service.kills.process import Service

if os.environ.get("EARSHOT_CI") != "1":
    pytest.importorskip("schemathesis")
import schemathesis
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
)

EXAMPLES = int(os.environ.get("EARSHOT_FUZZ_EXAMPLES", "10"))
EXPLORES = EXAMPLES >= 100
WAIT_S = 120.0  # for a reply, or the next byte: the machine may stand still for a while
DOCUMENT = create_app(Settings()).openapi()


def operations_of(document: dict[str, Any]) -> dict[str, Any]:
    found = [
        one.ok() for one in schemathesis.openapi.from_dict(document).get_all_operations()
    ]
    return {f"{one.method.upper()} {one.path}": one for one in found}


OPERATIONS = operations_of(DOCUMENT)


@pytest.fixture(scope="module")
def url(data_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service over a collection of its own, which no request ends."""
    data = tmp_path_factory.mktemp("fuzzed") / "data"
    shutil.copytree(data_directory, data)
    service = Service(data, WORKERS=1)
    try:
        yield service.url
        assert service.process.poll() is None
        assert "Traceback" not in service.log.read_text()
    finally:
        service.kill()


@pytest.fixture(autouse=True)
def the_same_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep constants of whatever happens to be imported out of the examples."""
    if not EXPLORES:
        none = providers.Constants()
        monkeypatch.setattr(providers, "_get_local_constants", lambda: none)


def fuzz(operation: Any, url: str, mode: GenerationMode, excluded: list[Any]) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=not EXPLORES,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def hold(case: Any) -> None:
        case.call_and_validate(base_url=url, excluded_checks=excluded, timeout=WAIT_S)

    hold()


def left_out(name: str) -> list[Any]:
    """Checks that do not hold by design."""
    excluded = []
    if OPERATIONS[name].body:  # how wide a vector is depends on the model
        excluded.append(positive_data_acceptance)
    if name in ("POST /items", "POST /search/batch"):  # each part is answered for itself
        excluded.append(negative_data_rejection)
    return excluded


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name.lower())
def test_no_request_is_answered_otherwise_than_declared(
    url: str, name: str, mode: GenerationMode
) -> None:
    try:
        fuzz(OPERATIONS[name], url, mode, left_out(name))
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE
        assert not OPERATIONS[name].body
        pytest.skip("every request fits the document")


def test_an_answer_that_is_not_declared_is_found_out(url: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    del document["paths"]["/items/delete"]["post"]["responses"]["422"]
    (operation,) = (
        one for name, one in operations_of(document).items() if name == "POST /items/delete"
    )
    with pytest.raises(BaseExceptionGroup, match="distinct failure"):
        fuzz(operation, url, GenerationMode.NEGATIVE, [])
