"""Text encodings: what a file declares, and what its bytes say when it declares nothing.

Chinese files come as UTF-8, GBK/GB18030 or Big5, mostly unlabelled. A guess is always told to
the person as a note; bytes that contradict a declaration are refused.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Iterable
from pathlib import Path

from gridsvc.errors import UnreadableSource
from gridsvc.services.raw import Note
from gridsvc.ways import way

CANDIDATES = ("utf-8", "gb18030", "big5")
# Language driver ids of dBASE files that name a multi-byte code page.
_LDID = {0x4D: "gb18030", 0x7A: "gb18030", 0x4F: "big5", 0x78: "big5"}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LABELS = {
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "936": "gb18030",
    "cp936": "gb18030",
    "ansi936": "gb18030",
    "gb18030": "gb18030",
    "950": "big5",
    "ansi950": "big5",
    "big5": "big5",
    "65001": "utf-8",
    "utf8": "utf-8",
}


def codec_of(label: str, *, source: str) -> str:
    """Return the Python codec of an encoding label as people and ``.cpg`` files write it.

    GBK and GB2312 become GB18030, which holds both.

    Raises
    ------
    UnreadableSource
        If no such encoding is known.
    """
    plain = re.sub(r"[\s_\-]", "", label).lower()
    known = _LABELS.get(plain)
    if known is not None:
        return known
    for name in (label.strip(), f"cp{plain}", f"iso-8859-{plain[-1:]}" if plain else ""):
        try:
            return codecs.lookup(name).name
        except LookupError:
            continue
    raise UnreadableSource(
        source=source,
        reason_zh=f"未知的文字编码“{label}”",
        reason_en=f"unknown text encoding '{label}'",
        hint_zh="请用 {way:encoding} 指定,例如 GBK 或 UTF-8",
        hint_en="state it with {way:encoding}, for example GBK or UTF-8",
    )


def decodes(chunks: Iterable[bytes], encoding: str, *, cut: bool = False) -> bool:
    """Return whether all chunks decode strictly; ``cut`` allows a character cut at the end."""
    for chunk in chunks:
        try:
            codecs.getincrementaldecoder(encoding)("strict").decode(chunk, final=not cut)
        except UnicodeDecodeError:
            return False
    return True


def guess(chunks: list[bytes], *, source: str, cut: bool = False) -> tuple[str, Note | None]:
    """Guess the encoding of text without a label.

    UTF-8 is tried first: its multi-byte sequences almost never arise by accident. Then GB18030,
    then Big5. Pure ASCII gives UTF-8 and no note.

    Raises
    ------
    UnreadableSource
        If none fits.
    """
    chunks = [c for c in chunks if not c.isascii()]
    if not chunks:
        return "utf-8", None
    for encoding in CANDIDATES:
        if decodes(chunks, encoding, cut=cut):
            shown = {"gb18030": "GBK"}.get(encoding, encoding.upper())
            return encoding, Note(
                f"文件没有声明文字编码,按内容判断为 {shown};如有乱码请用 {way('encoding')} 指定",
                f"no text encoding is declared; judged by content it is {shown}; "
                "if names look garbled state it with {way:encoding}",
            )
    raise UnreadableSource(
        source=source,
        reason_zh="无法判断文字编码(不是 UTF-8、GBK 或 Big5)",
        reason_en="the text encoding cannot be told (not UTF-8, GBK or Big5)",
        hint_zh="请用 {way:encoding} 指定",
        hint_en="state it with {way:encoding}",
    )


def contradiction(source: str, label: str, where_zh: str, where_en: str) -> UnreadableSource:
    """Return the error for bytes that are not in the encoding that was declared."""
    return UnreadableSource(
        source=source,
        reason_zh=f"内容不是{where_zh}所写的 {label} 编码",
        reason_en=f"the text is not in {label}, which {where_en} says",
        hint_zh="请用 {way:encoding} 指定正确的编码,例如 GBK 或 UTF-8",
        hint_en="state the right one with {way:encoding}, for example GBK or UTF-8",
    )


def text_encoding(data: bytes, declared: str | None, *, source: str) -> tuple[str, Note | None]:
    """Return the encoding of a text file: as declared, by byte order mark, or guessed.

    Raises
    ------
    UnreadableSource
        If the bytes contradict the declaration or fit nothing known.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name, None
    if declared:
        codec = codec_of(declared, source=source)
        if not decodes([data], codec):
            raise contradiction(source, declared, " {way:encoding} ", "{way:encoding}")
        return codec, None
    codec, note = guess([data], source=source)
    return codec, None if codec == "utf-8" else note


def dbf_text(path: Path) -> tuple[int, list[bytes]]:
    """Return the language driver id and all text of a dBASE file: names and character fields.

    Values are stripped of padding; a value that fills its field may be cut inside a character.
    """
    data = path.read_bytes()
    if len(data) < 32:
        return 0, []
    count, header, width = struct.unpack("<IHH", data[4:12])
    fields: list[tuple[int, int]] = []
    chunks: list[bytes] = []
    at, offset = 32, 1
    while at + 32 <= len(data) and data[at] != 0x0D:
        name, kind, size = data[at : at + 11].split(b"\0")[0], data[at + 11], data[at + 16]
        chunks.append(name)
        if kind == ord("C"):
            fields.append((offset, size))
        offset += size
        at += 32
    for row in range(count):
        start = header + row * width
        for offset, size in fields:
            value = data[start + offset : start + offset + size].rstrip(b" \0")
            if value and not value.isascii():
                chunks.append(value)
    return data[29], chunks


def shapefile_encoding(shp: Path, declared: str | None) -> tuple[str, list[Note]]:
    """Return the encoding of a shapefile's attributes and what a person should know about it.

    Order: what the person declared, the ``.cpg`` part, the driver id inside the ``.dbf``, the
    bytes themselves.

    Raises
    ------
    UnreadableSource
        If the bytes contradict what is declared, or fit nothing known.
    """
    dbf = sibling(shp, ".dbf")
    driver, chunks = dbf_text(dbf) if dbf is not None else (0, [])
    if declared:
        codec = codec_of(declared, source=shp.name)
        if not decodes(chunks, codec, cut=True):
            raise contradiction(shp.name, declared, " {way:encoding} ", "{way:encoding}")
        return codec, []
    cpg = sibling(shp, ".cpg")
    label = cpg.read_text("ascii", "replace").strip() if cpg is not None else ""
    if label:
        codec = codec_of(label, source=shp.name)
        if not decodes(chunks, codec, cut=True):
            raise contradiction(shp.name, label, " .cpg 文件", "the .cpg part")
        return codec, []
    if driver in _LDID and decodes(chunks, _LDID[driver], cut=True):
        return _LDID[driver], []
    codec, note = guess(chunks, source=shp.name, cut=True)
    if note is None:
        return codec, []
    return codec, [Note("缺少 .cpg 文件。" + note.zh, "the .cpg part is missing; " + note.en)]


def sibling(path: Path, suffix: str) -> Path | None:
    """Return the part of a shapefile with that suffix in any case, or ``None``."""
    for candidate in sorted(path.parent.glob(glob_escape(path.stem) + ".*")):
        if candidate.suffix.lower() == suffix and candidate.stem == path.stem:
            return candidate
    return None


def glob_escape(text: str) -> str:
    """Return text in which no character is special to ``glob``."""
    return re.sub(r"([*?\[])", r"[\1]", text)
