"""What may be named although it is not known yet, and what near names there are."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from gridsvc.errors import Fault
from gridsvc.services.attributes import Reading
from gridsvc.services.raw import ImportOptions, Note
from gridsvc.ways import way

# So many different wrong values get near names; searching for more would take minutes.
_SEARCHED = 50
_SHOWN = 3


class Known:
    """What exists of one kind, with near names for what does not.

    Parameters
    ----------
    zh, en : str
        What the kind is called.
    codes : iterable of str
        What is there, or all that was asked for of it.
    labels : callable, optional
        Returns code to name of everything there is; called when a near name is wanted.
    layer : str
        Value of ``--as`` that brings more of the kind, empty where none does.
    published : bool
        Whether what was imported has to be published before it is there.
    """

    def __init__(
        self,
        zh: str,
        en: str,
        codes: Iterable[str],
        labels: Callable[[], Mapping[str, str]] | None = None,
        *,
        layer: str = "",
        published: bool = False,
    ) -> None:
        self.zh, self.en, self.layer, self.published = zh, en, layer, published
        self._codes = frozenset(codes)
        self._load = labels
        self._found: dict[str, list[str]] = {}

    def __contains__(self, code: str) -> bool:
        return code in self._codes

    def __len__(self) -> int:
        return len(self._codes)

    @cached_property
    def labels(self) -> dict[str, str]:
        """Everything there is, code to name (empty where it has none)."""
        loaded = dict.fromkeys(self._codes, "") if self._load is None else self._load()
        return {str(c): str(n or "") for c, n in sorted(loaded.items())}

    def near(self, text: str) -> list[str]:
        """Return up to three near ones as ``code name``; none after many different texts."""
        if text not in self._found:
            self._found[text] = self._search(text) if len(self._found) < _SEARCHED else []
        return self._found[text]

    def _search(self, text: str) -> list[str]:
        by_label = {label: code for code in self.labels for label in (code, self.labels[code])}
        by_label.pop("", None)
        found = difflib.get_close_matches(text, list(by_label), n=2 * _SHOWN, cutoff=0.5)
        codes = list(dict.fromkeys(by_label[f] for f in found))[:_SHOWN]
        return [f"{code} {self.labels[code]}".strip() for code in codes]


def kept(options: ImportOptions, value: str) -> bool:
    """Return whether a person decided to keep a value that is not known."""
    return options.allow_unknown or options.decisions.get(value) == "keep"


def unknown(
    reading: Reading,
    row: int,
    name: str,
    value: str,
    known: Known,
    *,
    while_unknown: tuple[str, str] = ("", ""),
) -> Fault:
    """Return the fault of a value that names nothing known.

    Parameters
    ----------
    while_unknown : (str, str)
        What holds for the row as long as it is so, in Chinese and English.
    """
    near = known.near(value)
    publish, publish_en = ("并发布", "and publish ") if known.published else ("", "")
    load = f"({way('as', known.layer)})" if known.layer else ""
    load_en = f" ({way('as', known.layer)})" if known.layer else ""
    first = (
        (f"相近的:{'、'.join(near)}", f"near ones: {', '.join(near)}")
        if near
        else (
            f"请先导入{publish}{known.zh}{load}或改正该值",
            f"import {publish_en}it first{load_en} or correct the value",
        )
    )
    held_zh, held_en = while_unknown
    keep = way("decide", f"{value}=keep")
    return Fault(
        row,
        reading.shown(name),
        value[:80],
        f"没有这个{known.zh}",
        f"there is no such {known.en}",
        f"{first[0]};确需先保留用 {keep}{held_zh}",
        f"{first[1]}; to keep it for now use {keep}{held_en}",
    )


def must_exist(
    reading: Reading,
    name: str,
    known: Known,
    options: ImportOptions,
    *,
    while_unknown: tuple[str, str] = ("", ""),
    rows: Sequence[bool] | None = None,
) -> set[str]:
    """Note a fault for each value that names nothing known and that nobody decided to keep.

    What is kept is told in a note.

    Parameters
    ----------
    rows : sequence of bool, optional
        Rows to look at; all when not given.

    Returns
    -------
    set of str
        Unknown values that stay.
    """
    stays: dict[str, int] = {}
    for row, value in enumerate(reading.table[name], start=1):
        if value is None or (rows is not None and not rows[row - 1]) or str(value) in known:
            continue
        if kept(options, str(value)):
            stays[str(value)] = stays.get(str(value), 0) + 1
        else:
            fault = unknown(reading, row, name, str(value), known, while_unknown=while_unknown)
            reading.faults.append(fault)
    note_kept(reading, stays, known, while_unknown)
    return set(stays)


def note_kept(
    reading: Reading, stays: Mapping[str, int], known: Known, while_unknown: tuple[str, str]
) -> None:
    """Say which unknown values were kept."""
    if not stays:
        return
    listing_zh = "、".join(list(stays)[:10]) + ("…" if len(stays) > 10 else "")
    listing_en = ", ".join(list(stays)[:10]) + ("…" if len(stays) > 10 else "")
    rows = sum(stays.values())
    reading.notes.append(
        Note(
            f"按决定保留了 {rows} 行未知的{known.zh}:{listing_zh}{while_unknown[0]}",
            f"{rows} rows of an unknown {known.en} were kept as decided: "
            f"{listing_en}{while_unknown[1]}",
        )
    )
