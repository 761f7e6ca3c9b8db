"""Finished pages are built once, survive a restart, and damage is built anew."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from api.maps.cache import PageCache
from maps import Rendered


class Builder:
    def __init__(self, pause: float = 0.0) -> None:
        self.calls = 0
        self.pause = pause

    def __call__(self) -> Rendered:
        self.calls += 1
        time.sleep(self.pause)
        return Rendered(html=f"<p>网格 {self.calls}</p>", policy="default-src 'none'")


def test_a_page_is_built_once_for_many_at_a_time(tmp_path: Path) -> None:
    cache, build = PageCache(tmp_path), Builder(pause=0.05)
    pages: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: pages.append(cache.get("k", build).plain)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert build.calls == 1
    assert set(pages) == {"<p>网格 1</p>".encode()}


def test_a_new_process_finds_the_page_on_disk(tmp_path: Path) -> None:
    first = PageCache(tmp_path).get("k", Builder())
    build = Builder()
    again = PageCache(tmp_path).get("k", build)
    assert build.calls == 0
    assert again == first
    assert again.policy == "default-src 'none'"


@pytest.mark.parametrize("keep", [0, 10, -1])
def test_a_file_that_was_cut_short_is_built_anew(tmp_path: Path, keep: int) -> None:
    PageCache(tmp_path).get("k", Builder())
    path = next(tmp_path.glob("k*"))
    path.write_bytes(path.read_bytes()[:keep])
    build = Builder()
    assert PageCache(tmp_path).get("k", build).plain == "<p>网格 1</p>".encode()
    assert build.calls == 1


def test_old_pages_leave_memory_and_disk(tmp_path: Path) -> None:
    size = len(PageCache(tmp_path / "one").get("k", Builder()).body)
    on_disk = (tmp_path / "one" / "k.page.gz").stat().st_size
    cache = PageCache(tmp_path, memory_bytes=2 * size, disk_bytes=3 * on_disk)
    for n in range(6):
        cache.get(f"k{n}", Builder())
        assert cache._held == sum(len(page.body) for page in cache._pages.values()) <= 2 * size
    assert len(list(tmp_path.glob("*.page.gz"))) == 3
    build = Builder()
    cache.get("k5", build)
    assert build.calls == 0
    cache.get("k0", build)
    assert build.calls == 1


def test_a_page_larger_than_the_memory_is_held_until_the_next(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, memory_bytes=1, disk_bytes=0)
    build = Builder()
    cache.get("a", build)
    cache.get("a", build)
    assert build.calls == 1
    assert list(tmp_path.glob("*.page.gz")) == []
    cache.get("b", Builder())
    assert list(cache._pages) == ["b"]


def test_a_folder_that_cannot_be_written_only_costs_the_disk(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    cache, build = PageCache(blocked / "cache"), Builder()
    cache.get("k", build)
    cache.get("k", build)
    assert build.calls == 1


def test_keys_tell_every_part_apart() -> None:
    assert PageCache.key("a", None) != PageCache.key("a", "None")
    assert PageCache.key("a", "b") == PageCache.key("a", "b")
    assert PageCache.etag(PageCache.key("a")).startswith('W/"')


def test_a_page_that_cannot_be_built_leaves_nothing_behind(tmp_path: Path) -> None:
    cache = PageCache(tmp_path)

    def fail() -> Rendered:
        raise ValueError("no")

    for key in ("a", "b", "a"):
        with pytest.raises(ValueError, match="no"):
            cache.get(key, fail)
    assert cache._building == {}
    assert cache.get("a", Builder()).plain == "<p>网格 1</p>".encode()
