"""Settings from environment ``GRIDSVC_*`` and ``.env``, read once at the composition root."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_CONFIG = SettingsConfigDict(env_prefix="GRIDSVC_", env_file=".env", extra="ignore")


class DatabaseSettings(BaseSettings):
    """Where data is kept."""

    model_config = _CONFIG

    database_url: str = Field(
        "sqlite:///gridsvc.db",
        description="SQLAlchemy URL: sqlite:///FILE or postgresql+psycopg://USER@HOST:PORT/DB.",
    )


class ServerSettings(BaseSettings):
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


class GridSettings(BaseSettings):
    """The city that is served."""

    model_config = _CONFIG

    scheme: str = Field("main", description="Grid scheme that answers when none is named.")
    timezone: str = Field("Asia/Shanghai", description="IANA zone in which times are shown.")
    language: Literal["zh", "en"] = Field("zh", description="Language when none is asked for.")
    locator_cache: int = Field(4, ge=1, description="Locators of past versions kept in memory.")


class MapSettings(BaseSettings):
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


class Settings(BaseSettings):
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
