"""Zip archives: judged by what they promise before a byte is unpacked, bounded while unpacking."""

from __future__ import annotations

import gzip
import lzma
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from gridsvc.errors import UnreadableSource

MAX_RATIO = 200.0
_RATIO_FREE_BYTES = 16 * 2**20
MAX_ENTRIES = 10_000
_UTF8_FLAG = 0x800
_CHUNK = 1 << 20
# What zipfile and the decompressors below it raise for bytes that are not as promised.
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    IndexError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)


class _Outside(Exception):
    """An entry would be written outside of the folder."""


def entry_name(info: zipfile.ZipInfo) -> str:
    """Return an entry's name; archives made on Chinese Windows store it in GBK unlabelled."""
    if info.flag_bits & _UTF8_FLAG:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return info.filename


def check_archive(path: Path, *, max_unpacked_mb: int) -> list[zipfile.ZipInfo]:
    """Return the file entries of an archive that is safe to unpack.

    Raises
    ------
    UnreadableSource
        If it is no zip, promises more than allowed or an absurd ratio, holds paths that leave
        the folder, other archives, or encrypted entries.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [i for i in archive.infolist() if not i.is_dir()]
    except _DAMAGES as error:
        raise _refuse(
            path,
            "不是有效的压缩包",
            "not a valid zip archive",
            "请重新压缩或直接给出解压后的文件",
            "zip it again or give the unpacked file",
        ) from error
    promised = sum(i.file_size for i in entries)
    packed = max(1, sum(i.compress_size for i in entries))
    limit = max_unpacked_mb * 2**20
    if promised > limit:
        mib = promised / 2**20
        raise _refuse(
            path,
            f"解压后将有 {mib:,.0f} MiB,超过上限 {max_unpacked_mb} MiB",
            f"it promises {mib:,.0f} MiB unpacked, the limit is {max_unpacked_mb} MiB",
            "请自行解压后导入,或提高 GRIDSVC_MAX_UNPACKED_MB",
            "unpack it yourself, or raise GRIDSVC_MAX_UNPACKED_MB",
        )
    if promised > _RATIO_FREE_BYTES and promised / packed > MAX_RATIO:
        raise _refuse(
            path,
            f"压缩比 {promised / packed:,.0f} 倍不合常理",
            f"a compression ratio of {promised / packed:,.0f} is not plausible",
            "请自行解压后导入",
            "unpack it yourself and import the file",
        )
    if len(entries) > MAX_ENTRIES:
        raise _refuse(
            path,
            f"包含 {len(entries)} 个文件,过多",
            f"it holds {len(entries)} files",
            "请只压缩需要导入的文件",
            "zip only what is to be imported",
        )
    for info in entries:
        name = entry_name(info)
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if ".." in parts or name.startswith(("/", "\\")) or (parts and ":" in parts[0]):
            raise _refuse(
                path,
                f"条目“{name}”指向压缩包之外",
                f"entry '{name}' leaves the archive",
                "请重新压缩",
                "zip it again",
            )
        if name.lower().endswith((".zip", ".kmz")):
            raise _refuse(
                path,
                f"压缩包中又有压缩包“{name}”",
                f"it holds another archive, '{name}'",
                "请先解出里面的压缩包",
                "unpack the inner archive first",
            )
        if info.flag_bits & 0x1:
            raise _refuse(
                path,
                "压缩包已加密",
                "it is encrypted",
                "请去掉密码后重新压缩",
                "zip it again without a password",
            )
    return entries


def unpack(path: Path, folder: Path, *, max_unpacked_mb: int) -> list[Path]:
    """Unpack a checked archive below ``folder`` and return the files in order of name.

    Reading stops as soon as an entry yields more than it declared.

    Raises
    ------
    UnreadableSource
        As for ``check_archive``, and if an entry is damaged or lies about its size.
    """
    entries = check_archive(path, max_unpacked_mb=max_unpacked_mb)
    root = folder.resolve()
    written: list[Path] = []
    with zipfile.ZipFile(path) as archive:
        for info in entries:
            name = entry_name(info).replace("\\", "/")
            try:
                written.append(_unpack_entry(archive, info, root, name))
            except _Outside as error:
                raise _refuse(
                    path,
                    f"条目“{name}”指向压缩包之外",
                    f"entry '{name}' leaves the archive",
                    "请重新压缩",
                    "zip it again",
                ) from error
            except _DAMAGES as error:
                raise _refuse(
                    path,
                    f"条目“{name[:80]}”已损坏或无法存放",
                    f"entry '{name[:80]}' is damaged or cannot be stored",
                    "请重新压缩",
                    "zip it again",
                ) from error
    return sorted(written)


def _unpack_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, root: Path, name: str) -> Path:
    target = (root / name).resolve()
    if not target.is_relative_to(root):
        raise _Outside(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    left = info.file_size
    with archive.open(info) as stream, target.open("xb") as out:
        while chunk := stream.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise zipfile.BadZipFile(name)
            out.write(chunk)
    return target


def gunzip(path: Path, folder: Path, *, max_unpacked_mb: int) -> Path:
    """Unpack a ``.gz`` file below ``folder``, stopping where it outgrows the limit.

    Raises
    ------
    UnreadableSource
        If it is damaged or unpacks to more than allowed.
    """
    target = folder / path.stem
    left = max_unpacked_mb * 2**20
    try:
        with gzip.open(path) as stream, target.open("wb") as out:
            while chunk := stream.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise _refuse(
                        path,
                        f"解压后超过上限 {max_unpacked_mb} MiB",
                        f"it unpacks to more than {max_unpacked_mb} MiB",
                        "请自行解压后导入,或提高 GRIDSVC_MAX_UNPACKED_MB",
                        "unpack it yourself, or raise GRIDSVC_MAX_UNPACKED_MB",
                    )
                out.write(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error, OSError) as error:
        raise _refuse(
            path, "不是有效的 .gz 文件", "not a valid .gz file", "请重新压缩", "pack it again"
        ) from error
    return target


def _refuse(path: Path, zh: str, en: str, hint_zh: str, hint_en: str) -> UnreadableSource:
    return UnreadableSource(
        source=path.name, reason_zh=zh, reason_en=en, hint_zh=hint_zh, hint_en=hint_en
    )
