"""Settings: what one service depends on, read from the environment once, at the edge."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings as FromEnvironment
from pydantic_settings import SettingsConfigDict

from crossmodal.errors import CollectionError, ConfigError
from index.galleries.kinds import AUTO, KINDS, BaseSettings
from index.storage.database import check_data_directory
from service.access.addresses import Network, is_loopback, parse_networks
from service.access.keys import Key, parse_keys
from service.access.origins import parse_origins
from service.problems import message_of

KIB, MIB = 1024, 1024 * 1024
PREFIX = "EARSHOT_"
# Read by other parts of the project under the same prefix.
_FOREIGN = (
    *("WEIGHTS", "CI", "TEST_DATA", "UID", "GID", "BIND", "IMAGE_BASE"),
    *("GRAFANA_BIND", "GRAFANA_PORT", "GRAFANA_PASSWORD_FILE", "METRICS_KEY_FILE"),
)

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


# Settings that are lists, and what reads each.
_LISTS: dict[str, Callable[[str], object]] = {
    "api_keys": parse_keys,
    "cors_origins": parse_origins,
    "trusted_proxies": parse_networks,
}


class Settings(FromEnvironment):
    """What one service depends on; each field is the variable ``EARSHOT_<FIELD>``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    data: Path | None = None
    api_keys: str = Field(default="", repr=False)
    read_only: bool = Field(default=False, description="serve, and change nothing")
    compaction_tail: Count = Field(
        default=10_000, description="fresh vectors beside a base"
    )
    index_kind: str = Field(
        default=AUTO, pattern=f"^({'|'.join((AUTO, *KINDS))})$", description="of a base"
    )
    index_memory: int = Field(
        default=0, ge=0, description="bytes for all galleries; 0: half of the machine's"
    )
    index_recall: float = Field(default=0.99, gt=0, le=1, description="at 10")
    collection_name: str | None = None
    cors_origins: str = ""
    trusted_proxies: str = ""
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")

    workers: int = Field(default=0, ge=0, description="0: one per processor, at most 4")
    search_places: Count = 64
    write_places: Count = 32
    batch_places: Count = 8
    evaluation_places: Count = 2

    rate: Rate = Field(default=0, description="requests per second of a key; 0: no limit")
    rate_burst: Count = 50
    failed_rate: Rate = Field(default=1, description="wrong keys per second of an address")
    failed_burst: Count = 20

    max_upload: Count = 64 * MIB
    max_json: Count = 4 * MIB
    max_evaluation: Count = 16 * MIB
    max_connections: Count = 1000
    # wide enough that a megabyte of Authorization is told 401 like any other wrong key
    max_headers: Count = 1088 * KIB

    header_timeout_s: Seconds = 10
    body_timeout_s: Seconds = 30
    body_rate: Count = Field(default=256 * KIB, description="bytes per second in all")
    body_window_s: Seconds = 5
    body_window_rate: Count = Field(default=8 * KIB, description="bytes per second")
    write_timeout_s: Seconds = 120
    shutdown_timeout_s: Count = 3

    @field_validator(*_LISTS)
    @classmethod
    def _check_list(cls, value: str, field: ValidationInfo) -> str:
        try:
            _LISTS[str(field.field_name)](value)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return value

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """The keys in force; without any, everyone who reaches the service may use it."""
        return parse_keys(self.api_keys)

    @cached_property
    def origins(self) -> tuple[str, ...]:
        """The origins whose pages may use the service."""
        return parse_origins(self.cors_origins)

    @cached_property
    def proxies(self) -> tuple[Network, ...]:
        """The peers whose X-Forwarded-For is believed."""
        return parse_networks(self.trusted_proxies)

    @cached_property
    def worker_count(self) -> int:
        """How many clips are decoded and embedded at once."""
        return self.workers or min(4, os.cpu_count() or 1)

    @property
    def bases(self) -> BaseSettings:
        """What decides the kind of a base."""
        return BaseSettings(
            kind=self.index_kind,
            memory_bytes=self.index_memory or None,
            recall=self.index_recall,
        )

    @property
    def upload_places(self) -> int:
        """How many uploads may be under way at once; more are told to come back."""
        return 4 * self.worker_count

    def data_directory(self) -> Path:
        """Return the data directory, which holds a database in whatever state.

        Raises:
            CollectionError: If none is named, or it is none.
        """
        if self.data is None:
            raise CollectionError("no data directory; set EARSHOT_DATA or pass --data")
        check_data_directory(self.data)
        return self.data

    def check_host(self) -> None:
        """Check that without keys only this machine can reach the service.

        Raises:
            ConfigError: If the host is not a loopback address and no key is set.
        """
        if not self.keys and not is_loopback(self.host):
            raise ConfigError(
                f"without EARSHOT_API_KEYS the service binds to loopback only, not to "
                f"{self.host}; make a key with: python -m service key --role read"
            )


def read_settings(**given: object) -> Settings:
    """Return the environment's settings; those given, unless None, take precedence.

    Raises:
        ConfigError: If a setting is of the wrong type or out of range.
    """
    try:
        return Settings(
            **{name: value for name, value in given.items() if value is not None}  # type: ignore[arg-type]
        )
    except ValidationError as error:
        wrong = "; ".join(
            f"{PREFIX}{str(item['loc'][0]).upper()}: {message_of(item)}"
            for item in error.errors(include_input=False, include_url=False)
        )
        raise ConfigError(wrong) from None


def unknown_variables() -> list[str]:
    """Return the variables that bear the prefix but mean nothing here."""
    known = {PREFIX + name.upper() for name in (*Settings.model_fields, *_FOREIGN)}
    return sorted(name for name in {*os.environ} - known if name.startswith(PREFIX))
