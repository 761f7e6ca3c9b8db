"""Typed errors of the domain, each able to explain itself in Chinese and English.

The classes know nothing of HTTP or exit codes: ``api/problems.py`` maps them to RFC 9457
problems and ``api/cli`` to exit codes, both by class.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from gridsvc.faults import Fault as Fault  # noqa: PLC0414 - part of this vocabulary
from gridsvc.phrases import DEED, KINDS, NOW, length, phrase
from gridsvc.ways import Language as Language  # noqa: PLC0414 - part of this vocabulary
from gridsvc.ways import Speak, Token, as_python, as_token, spoken, verbatim, way


class GridsvcError(Exception):
    """Root of all errors that gridsvc raises on purpose.

    Subclasses set ``zh`` and ``en``, format strings over the keyword fields given to the
    constructor, in which ``{way:crs}`` names an option (``gridsvc.ways``). ``str(error)`` is the
    English text for Python callers.

    Parameters
    ----------
    **fields
        Typed facts of the failure (codes, coordinates, distances in metres). They are kept as
        attributes and appear in the problem body of the API.
    """

    zh: ClassVar[str] = "内部错误"
    en: ClassVar[str] = "internal error"

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        super().__init__(self.text("en"))

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__.get("fields", {})
        if name in fields:
            return fields[name]
        raise AttributeError(name)

    def text(self, language: Language = "zh", speak: Speak = as_python) -> str:
        """Return the message in one language with all fields filled in.

        Parameters
        ----------
        language : {"zh", "en"}
        speak : callable
            How the reader's surface calls options.
        """
        template = self.zh if language == "zh" else self.en
        return spoken(template.format(way=Token(), **self.words(language)), language, speak)

    def words(self, language: Language) -> dict[str, Any]:
        """Return the fields as a template of that language takes them.

        ``kind`` becomes a word, and a ``reason`` in the words of a library serves both languages.
        """
        # Texts of ours end in the language; other words are names and values as given.
        found = {
            name: verbatim(value)
            if isinstance(value, str) and not name.endswith(("_zh", "_en"))
            else value
            for name, value in self.fields.items()
        }
        if "kind" in found:
            found["kind"] = phrase(KINDS, found["kind"], language)
        if "reason" in found:
            found.setdefault(f"reason_{language}", found["reason"])
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.fields))


def _rebuild(cls: type[GridsvcError], fields: dict[str, Any]) -> GridsvcError:
    return cls(**fields)


# --- bad input ------------------------------------------------------------------------------


class InputError(GridsvcError):
    """What was given cannot be used; the message says why and what to do."""

    zh = "输入有误:{reason_zh}"
    en = "bad input: {reason_en}"


class InvalidCoordinate(InputError):
    """A coordinate is not finite or not within longitude/latitude range."""

    zh = "坐标无效:lon={lon}, lat={lat}。{hint_zh}"
    en = "invalid coordinate: lon={lon}, lat={lat}. {hint_en}"


class UnknownDatum(InputError):
    """The datum is none of wgs84, cgcs2000, gcj02, bd09."""

    zh = "未知坐标基准“{datum}”,可用:wgs84、cgcs2000、gcj02、bd09"
    en = "unknown datum '{datum}', use wgs84, cgcs2000, gcj02 or bd09"


class CrsMissing(InputError):
    """A source does not say in which coordinate system it is."""

    zh = "{source} 没有坐标系信息(例如缺少 .prj);请用 {way:crs} 或 {way:datum} 指明{hint_zh}"
    en = (
        "{source} carries no coordinate system (.prj missing?); "
        "state it with {way:crs} or {way:datum}{hint_en}"
    )


class CrsMismatch(InputError):
    """Two layers that must share a coordinate system do not."""

    zh = "坐标系不一致:{found},应为 {expected};请先用 .to_crs(4490) 转换(没有坐标系时先 .set_crs)"
    en = (
        "coordinate systems differ: {found}, expected {expected}; "
        "convert with .to_crs(4490) first (.set_crs where none is stated)"
    )


class WrongCrs(InputError):
    """Coordinates cannot be in the stated coordinate system."""

    zh = "坐标与声明的坐标系 {crs} 不符:{reason_zh}。{hint_zh}"
    en = "coordinates do not fit the stated system {crs}: {reason_en}. {hint_en}"


class DatumNeedsDegrees(WrongCrs):
    """A datum of longitudes and latitudes was stated for a layer of other coordinates."""

    zh = "指定了坐标基准 {datum},没有指定坐标系,应为经纬度;而 {reason_zh}。{hint_zh}"
    en = (
        "datum {datum} was stated without a coordinate system, which means degrees; "
        "but {reason_en}. {hint_en}"
    )


class UnreadableSource(InputError):
    """A file cannot be opened or is not what its name says."""

    zh = "无法读取 {source}:{reason_zh}。{hint_zh}"
    en = "cannot read {source}: {reason_en}. {hint_en}"


class EmptySource(InputError):
    """A file holds no row."""

    zh = "{source} 中没有任何记录;请确认图层名称和文件内容"
    en = "{source} holds no record; check the layer name and the file"


class InvalidCode(InputError):
    """A code does not follow the code system of its scheme."""

    zh = "编码“{code}”无效:{reason_zh}"
    en = "code '{code}' is invalid: {reason_en}"


class OverlappingCells(InputError):
    """Cells overlap, so that a place would have several cells and no rule to choose."""

    zh = "网格重叠({count} 处),例如 {first} 与 {second};请先修复({way:repair})再定位"
    en = (
        "cells overlap ({count} places), e.g. {first} and {second}; "
        "repair them first ({way:repair})"
    )


class UnknownClass(InputError):
    """A case or point names a class that the catalogue does not hold."""

    zh = "未知类别“{code}”;{hint_zh}"
    en = "unknown class '{code}'; {hint_en}"


class BadOption(InputError):
    """An option of an analysis or command has a value that cannot be used."""

    zh = "{named} 的值“{value}”无效:{reason_zh}"
    en = "{named} cannot be '{value}': {reason_en}"

    def words(self, language: Language) -> dict[str, Any]:
        """Return the fields with the option as a way that each surface calls its own."""
        return super().words(language) | {"named": way(self.fields["option"])}


class NothingToWorkOn(InputError):
    """What a computation needs is not there."""

    zh = "无法计算:{reason_zh}"
    en = "cannot compute: {reason_en}"


class RejectedRows(InputError):
    """Rows of a source cannot be used; nothing of it was imported."""

    zh = "{source}:{count} {faults_zh},未导入任何数据\n{listing_zh}"
    en = "{source}: {count} {faults_en}, nothing was imported\n{listing_en}"

    def __init__(self, *, source: str, faults: Sequence[Fault], **_: Any) -> None:
        shown = 20
        more = max(0, len(faults) - shown)
        super().__init__(
            source=source,
            faults=tuple(faults),
            count=len(faults),
            faults_zh="处错误",
            faults_en="fault" if len(faults) == 1 else "faults",
            listing_zh="\n".join(f.text("zh", as_token) for f in faults[:shown])
            + (f"\n……另有 {more} 处" if more else ""),
            listing_en="\n".join(f.text("en", as_token) for f in faults[:shown])
            + (f"\n… and {more} more" if more else ""),
        )

    def on_sheet(self, rows: Sequence[int] | None) -> RejectedRows:
        """Return the error with rows of the sheet; the same where the source is none."""
        if rows is None:
            return self
        return RejectedRows(source=self.source, faults=[f.on_sheet(rows) for f in self.faults])


class DecisionNeeded(InputError):
    """A repair would lose something; a person has to decide first."""

    zh = "需要人工决定:{reason_zh}"
    en = "a decision is needed: {reason_en}"


class Cancelled(GridsvcError):
    """Long work was cancelled by a person; nothing of it was kept."""

    zh = "操作已取消,未保留任何结果"
    en = "cancelled; nothing was kept"


# --- not found ------------------------------------------------------------------------------


class NotFoundError(GridsvcError):
    """What was asked for is not there."""

    zh = "未找到 {kind}“{key}”"
    en = "{kind} '{key}' not found"


class OutsideCoverage(NotFoundError):
    """A coordinate lies in no cell; the nearest one is named."""

    zh = "坐标 {lon}, {lat} 不在任何网格内;最近的网格 {nearest_cell},相距 {distance}"
    en = "{lon}, {lat} lies in no cell; the nearest is {nearest_cell}, {distance} away"

    def words(self, language: Language) -> dict[str, Any]:
        """Return the fields with the distance in metres or kilometres."""
        distance = length(self.fields["distance_m"], language, digits=1)
        return super().words(language) | {"distance": distance}


class UnknownCell(NotFoundError):
    """No cell has this code in the plan."""

    zh = "方案 {plan} 中没有网格“{code}”"
    en = "plan {plan} has no cell '{code}'"


class UnknownPlan(NotFoundError):
    """No plan version has this id."""

    zh = "没有网格方案“{plan}”"
    en = "there is no plan '{plan}'"


class NoPlanInForce(NotFoundError):
    """No published plan is in force at that instant."""

    zh = "{at} 没有生效的网格方案;{hint_zh}"
    en = "no plan is in force at {at}; {hint_en}"

    def __init__(self, *, at: datetime, first: datetime | None = None, **_: Any) -> None:
        since = first.isoformat() if first is not None else ""
        super().__init__(
            at=at.isoformat(),
            first=since or None,
            hint_zh=f"最早的方案自 {since} 起生效,请问该时刻或其后" if since else "请先导入并发布",
            hint_en=f"the first one takes effect on {since}: ask for that instant or a later one"
            if since
            else "import and publish one first",
        )


# --- conflicts ------------------------------------------------------------------------------


class ConflictError(GridsvcError):
    """The request contradicts the present state."""

    zh = "与当前状态冲突:{reason_zh}"
    en = "conflict: {reason_en}"


class IllegalTransition(ConflictError):
    """A status cannot follow the present one."""

    zh = "{kind} {key} {now},不能{deed}"
    en = "{kind} {key} {now}; it cannot be {deed}"

    def words(self, language: Language) -> dict[str, Any]:
        """Return the fields with both states in words."""
        now = phrase(NOW, self.fields.get("current", ""), language)
        deed = phrase(DEED, self.fields.get("target", ""), language)
        return super().words(language) | {"now": now, "deed": deed}


class AlreadyPublished(IllegalTransition):
    """A published plan cannot be published again."""

    zh = "方案 {plan} 已发布,{since} 起生效;调整请导入新版本"
    en = "plan {plan} is published, in force from {since}; import a new version to change it"


class NotScheduled(IllegalTransition):
    """Only a version that is published for a later date can be withdrawn."""

    zh = "方案 {key} {now},不能撤回;只能撤回已发布而尚未生效的方案"
    en = "plan {key} {now}; only one that is published for a later date can be withdrawn"


class PlanNotPublishable(ConflictError):
    """Findings of the certificate stand in the way of publication."""

    zh = (
        "方案 {plan} 不能发布:证书有 {count} 项未通过({rules_zh});"
        "每处问题见 {way:check_findings={plan}}"
    )
    en = (
        "plan {plan} cannot be published: {count} findings stand ({rules}); "
        "see each of them with {way:check_findings={plan}}"
    )

    def __init__(self, *, rules: str, rules_zh: str = "", **fields: Any) -> None:
        super().__init__(rules=rules, rules_zh=rules_zh or rules, **fields)


class StaleVersion(ConflictError):
    """Somebody else changed the record in between."""

    zh = "{kind} {key} 已被他人修改(当前版本 {current},您的版本 {given});请刷新后重试"
    en = "{kind} {key} was changed by somebody else (now {current}, yours {given}); reload"


class DuplicateKey(ConflictError):
    """A record with that key exists already."""

    zh = "{kind} {key} 已存在"
    en = "{kind} {key} exists already"


# --- storage --------------------------------------------------------------------------------


class StorageError(GridsvcError):
    """The database cannot be reached, is of another version, or is damaged."""

    zh = "数据库错误:{reason_zh}"
    en = "storage error: {reason_en}"


class SchemaOutdated(StorageError):
    """The database was left by another version of gridsvc."""

    zh = "数据库版本为 {found},程序需要 {expected};请先运行 gridsvc db upgrade"
    en = "the database is at revision {found}, {expected} is needed; run gridsvc db upgrade"


class SchemaMissing(SchemaOutdated):
    """The database is empty."""

    zh = "数据库是空的,程序需要版本 {expected};请先运行 gridsvc db upgrade"
    en = "the database is empty, revision {expected} is needed; run gridsvc db upgrade"
