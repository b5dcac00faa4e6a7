"""Logs: one JSON object per line on stderr, with the request id and no content.

Nothing that a client sent is ever put into a line, but for a request id that it may choose
from letters that mean nothing; and whatever stands in a line is printable ASCII, so that
no text can begin a line of its own or speak to a terminal.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

LOGGER = logging.getLogger("earshot.service")
ROOT = Path(__file__).resolve().parents[2]


class JsonLines(logging.Formatter):
    """Formats each record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line: time, level, event and the record's own fields."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0]:
            # where it failed, not with what: an exception's text may repeat the input
            line["error"] = record.exc_info[0].__name__
            line["trace"] = [
                f"{_module(frame.filename)}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(record.exc_info[2])
            ]
        text = orjson.dumps(line, default=str)
        if text.isascii():  # as every line about a request is
            return text.decode().replace("\x7f", "\\u007f")
        return json.dumps(line, default=str).replace("\x7f", "\\u007f")


def _module(filename: str) -> str:
    """Return where code is without saying where it is installed."""
    path = Path(filename)
    if path.is_relative_to(ROOT) and not path.is_relative_to(sys.prefix):
        return str(path.relative_to(ROOT))
    return "/".join(path.parts[-2:])


def configure_logging(level: str) -> None:
    """Send this process's records to stderr as JSON lines."""
    # a record need not gather what no line shows
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    LOGGER.setLevel(level.upper())
    logging.getLogger("uvicorn").setLevel(level.upper())
    logging.getLogger("uvicorn.error").setLevel(level.upper())


def event(name: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log one event with its fields."""
    if LOGGER.isEnabledFor(level):
        # made here, since to look for the caller costs more than to write the line
        record = logging.LogRecord(LOGGER.name, level, "", 0, name, None, None)
        record.fields = fields
        LOGGER.handle(record)


def failure(name: str, error: BaseException, **fields: Any) -> None:
    """Log an error that should not have happened, with where it came from."""
    LOGGER.error(name, exc_info=error, extra={"fields": fields})
