"""Settings from environment ``GRIDSVC_*`` and ``.env``, read once at the composition root."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from api.validation_texts import validation_errors
from gridsvc.errors import InputError

_PREFIX = "GRIDSVC_"
_CONFIG = SettingsConfigDict(env_prefix=_PREFIX, env_file=".env", extra="ignore")


class BadSetting(InputError):
    """A variable of the environment or of ``.env`` has a value that cannot be used."""

    zh = (
        "设置 {variable} 的值“{value}”无效:{reason_zh}。"
        "请修改环境变量或 .env,或删去它以用默认值 {default}"
    )
    en = (
        "setting {variable} cannot be '{value}': {reason_en}. Change it in the environment or in "
        ".env, or remove it for the default {default}"
    )


class _Group(BaseSettings):
    """Settings whose faults name the variable that a person has to change."""

    model_config = _CONFIG

    def __init__(self, **values: Any) -> None:
        """Read the settings.

        Raises
        ------
        BadSetting
            For the first variable whose value cannot be used.
        """
        try:
            super().__init__(**values)
        except ValidationError as error:
            fault: dict[str, Any] = {**error.errors()[0]}
            (zh,), (en,) = (validation_errors([fault], text) for text in ("zh", "en"))
            name, given = str(fault["loc"][0]), fault["input"]
            raise self._bad(name, given, zh["message"], en["message"]) from None
        except SettingsError as error:
            # Lists are given as JSON; the source names the field in quotes.
            name = next((n for n in type(self).model_fields if f'"{n}"' in str(error)), "")
            raise self._bad(name, None, "不是有效的 JSON", "it is not valid JSON") from None

    def _bad(self, name: str, value: Any, zh: str, en: str) -> BadSetting:
        field = type(self).model_fields.get(name)
        default = json.dumps(None if field is None else field.default, default=str)
        variable = _PREFIX + name.upper()
        given = os.environ.get(variable, "" if value is None else str(value))
        return BadSetting(
            variable=variable, value=given[:80], reason_zh=zh, reason_en=en, default=default
        )


class DatabaseSettings(_Group):
    """Where data is kept."""

    model_config = _CONFIG

    database_url: str = Field(
        "sqlite:///gridsvc.db",
        description="SQLAlchemy URL: sqlite:///FILE or postgresql+psycopg://USER@HOST:PORT/DB.",
    )


class ServerSettings(_Group):
    """How the service listens."""

    model_config = _CONFIG

    host: Literal["127.0.0.1", "::1", "localhost"] = Field(
        "127.0.0.1",
        description="Loopback only: until accounts exist the service is not for the network.",
    )
    port: int = Field(8000, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="Processes that serve requests. Jobs live in the memory of one process, so "
        "uploads are refused (409) with more than one; import with `gridsvc import` then.",
    )
    max_upload_mb: int = Field(256, ge=1, description="Largest upload accepted, in MiB.")
    max_unpacked_mb: int = Field(
        1024, ge=1, description="Largest size an archive may unpack to, in MiB."
    )
    allowed_hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "localhost", "::1"),
        description="Host names that requests may use (JSON list); others are refused, which "
        "stops pages elsewhere from reaching a loopback service by DNS rebinding.",
    )


class GridSettings(_Group):
    """The city that is served."""

    model_config = _CONFIG

    scheme: str = Field("main", description="Grid scheme that answers when none is named.")
    city: str = Field("", description="Name of the city that a new grid scheme gets.")
    timezone: str = Field("Asia/Shanghai", description="IANA zone in which times are shown.")
    language: Literal["zh", "en"] = Field("zh", description="Language when none is asked for.")
    locator_cache: int = Field(4, ge=1, description="Locators of past versions kept in memory.")


class MapSettings(_Group):
    """How maps look."""

    model_config = _CONFIG

    tile_url: str = Field("", description="Optional base map template; empty draws our own base.")
    tile_datum: Literal["wgs84", "cgcs2000", "gcj02"] = Field(
        "wgs84", description="Datum of the base map; gcj02 shifts the overlay for display only."
    )
    tile_attribution: str = Field("", description="Attribution of the base map.")
    cache_dir: Path = Field(
        Path(".gridsvc/cache"), description="Folder for rendered maps, safe to delete."
    )


class Settings(_Group):
    """All groups of settings."""

    model_config = _CONFIG

    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    server: ServerSettings = Field(default_factory=ServerSettings)
    grid: GridSettings = Field(default_factory=GridSettings)
    map: MapSettings = Field(default_factory=MapSettings)
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log entry that is written."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="Structured logs for a terminal or as one JSON object a line."
    )
