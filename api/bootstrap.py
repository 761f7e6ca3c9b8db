"""Assembly of storage, locators and settings: the only place where they meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from api.settings import Settings
from gridsvc.services.answers import AnswerDesk
from gridsvc.services.certifying import CertificateCache
from gridsvc.services.locating import LocatorCache
from gridsvc.services.ports import Storage
from gridsvc.services.responsibility import ResponsibilityService
from gridsvc.types import Clock


def utc_now() -> datetime:
    """Return the present instant, aware."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Services:
    """What routes and commands work with."""

    settings: Settings
    storage: Storage
    locators: LocatorCache
    clock: Clock = field(default=utc_now)
    responsibility: ResponsibilityService = field(init=False)
    desk: AnswerDesk = field(init=False)
    certificates: CertificateCache = field(init=False)

    def __post_init__(self) -> None:
        self.locators.use_clock(self._now)
        self.responsibility = ResponsibilityService(self.storage)
        self.desk = AnswerDesk(self.storage, self.locators)
        self.certificates = CertificateCache(self.storage)

    def _now(self) -> datetime:
        # Asked anew each time: the clock may be replaced.
        now: datetime = self.clock()
        return now

    def close(self) -> None:
        """Close all connections."""
        self.storage.dispose()


def open_services(settings: Settings | None = None, *, upgrade: bool = False) -> Services:
    """Open the database of the settings.

    Parameters
    ----------
    settings : Settings, optional
        Read from the environment when not given.
    upgrade : bool
        Create or migrate the schema; otherwise an old schema raises ``SchemaOutdated``.
    """
    from geodata.storage import open_storage

    settings = settings or Settings()
    storage = open_storage(settings.database.database_url)
    if upgrade:
        storage.upgrade()
    else:
        storage.check()
    locators = LocatorCache(
        storage, scheme_id=settings.grid.scheme, keep=settings.grid.locator_cache
    )
    return Services(settings=settings, storage=storage, locators=locators)
