"""Finished pages, kept in memory and on disk by the version of the data that they show."""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import structlog

from maps import Rendered

log = structlog.get_logger("gridsvc.maps")
_SUFFIX = ".page.gz"


@dataclass(frozen=True, slots=True)
class CachedPage:
    """A page as it is sent: compressed body, policy and ETag."""

    body: bytes
    policy: str
    etag: str

    @property
    def plain(self) -> bytes:
        """Return the body for clients that do not take gzip."""
        return gzip.decompress(self.body)


class PageCache:
    """The least recently used pages in memory, all recent ones in a folder that may be deleted.

    Each page is built once, however many ask for it at the same time.

    Parameters
    ----------
    folder : Path
        Created when needed; without write permission pages are only kept in memory.
    memory_bytes, disk_bytes : int
        What the compressed pages may take; the one just built stays in memory in any case.
    """

    def __init__(
        self, folder: Path, *, memory_bytes: int = 64_000_000, disk_bytes: int = 256_000_000
    ) -> None:
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._disk_bytes = disk_bytes
        self._held = 0
        self._pages: OrderedDict[str, CachedPage] = OrderedDict()
        self._building: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    @staticmethod
    def key(*parts: object) -> str:
        """Return the key of what a page depends on."""
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:40]

    @staticmethod
    def etag(key: str) -> str:
        """Return the weak ETag of a key."""
        return f'W/"{key[:32]}"'

    def get(self, key: str, build: Callable[[], Rendered]) -> CachedPage:
        """Return a page, building it when it is not there."""
        found = self._remembered(key)
        if found is not None:
            return found
        with self._lock:
            own = self._building.setdefault(key, threading.Lock())
        try:
            with own:
                found = self._remembered(key) or self._read(key)
                if found is None:
                    rendered = build()
                    body = gzip.compress(rendered.html.encode(), compresslevel=6, mtime=0)
                    found = CachedPage(body, rendered.policy, self.etag(key))
                    self._write(key, found)
                self._remember(key, found)
        finally:
            with self._lock:
                if self._building.get(key) is own:
                    del self._building[key]
        return found

    def _remembered(self, key: str) -> CachedPage | None:
        with self._lock:
            found = self._pages.get(key)
            if found is not None:
                self._pages.move_to_end(key)
            return found

    def _remember(self, key: str, page: CachedPage) -> None:
        with self._lock:
            before = self._pages.pop(key, None)
            self._held += len(page.body) - (len(before.body) if before is not None else 0)
            self._pages[key] = page
            while self._held > self._memory_bytes and len(self._pages) > 1:
                _, old = self._pages.popitem(last=False)
                self._held -= len(old.body)

    def _read(self, key: str) -> CachedPage | None:
        path = self._folder / f"{key}{_SUFFIX}"
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        policy, separator, body = content.partition(b"\n")
        # A file that somebody cut short is built anew.
        if not separator or not body.startswith(b"\x1f\x8b"):
            return None
        try:
            gzip.decompress(body)
        except (EOFError, OSError):
            return None
        return CachedPage(body, policy.decode("latin-1"), self.etag(key))

    def _write(self, key: str, page: CachedPage) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._folder, delete=False) as draft:
                draft.write(page.policy.encode("latin-1") + b"\n" + page.body)
            Path(draft.name).replace(self._folder / f"{key}{_SUFFIX}")
            self._tidy()
        except OSError as error:
            log.warning("map cache not writable", folder=str(self._folder), reason=error.strerror)

    def _tidy(self) -> None:
        found = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            try:
                state = path.stat()
            except FileNotFoundError:
                continue  # another process tidied it away
            found.append((state.st_mtime_ns, state.st_size, path))
        left = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if left <= self._disk_bytes:
                break
            path.unlink(missing_ok=True)
            left -= size
