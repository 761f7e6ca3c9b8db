"""What FastAPI finds wrong with a request, said in Chinese or English with the field's name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gridsvc.errors import Language

# By the type names of pydantic-core; placeholders come from its ``ctx``.
_ZH = {
    "missing": "缺少必填项",
    "int_parsing": "应为整数",
    "int_type": "应为整数",
    "int_from_float": "应为整数",
    "float_parsing": "应为数字",
    "float_type": "应为数字",
    "finite_number": "应为有限的数",
    "bool_parsing": "应为 true 或 false",
    "string_type": "应为文本",
    "string_too_short": "至少 {min_length} 个字符",
    "string_too_long": "至多 {max_length} 个字符",
    "string_pattern_mismatch": "格式应为 {pattern}",
    "greater_than": "应大于 {gt}",
    "greater_than_equal": "应不小于 {ge}",
    "less_than": "应小于 {lt}",
    "less_than_equal": "应不大于 {le}",
    "literal_error": "应为 {expected} 之一",
    "enum": "应为 {expected} 之一",
    "datetime_parsing": "不是有效的时间(ISO 8601)",
    "datetime_from_date_parsing": "不是有效的时间(ISO 8601)",
    "timezone_aware": "时间应带时区",
    "date_parsing": "不是有效的日期",
    "json_invalid": "不是有效的 JSON",
    "model_attributes_type": "应为 JSON 对象",
    "dict_type": "应为 JSON 对象",
    "list_type": "应为数组",
    "too_long": "至多 {max_length} 项",
    "too_short": "至少 {min_length} 项",
    "extra_forbidden": "不认识的字段",
}
_SHOWN = 80


def validation_errors(found: Sequence[dict[str, Any]], language: Language) -> list[dict[str, Any]]:
    """Return ``field, message, value`` for each fault.

    Parameters
    ----------
    found : sequence of dict
        ``RequestValidationError.errors()``.
    language : {"zh", "en"}
    """
    return [_one(fault, language) for fault in found]


def _one(fault: dict[str, Any], language: Language) -> dict[str, Any]:
    message = str(fault.get("msg", ""))
    if language == "zh":
        template = _ZH.get(str(fault.get("type")), "值无效")
        try:
            message = template.format(**(fault.get("ctx") or {}))
        except (KeyError, IndexError):
            message = "值无效"
    place = ".".join(str(part) for part in fault.get("loc", ()))
    value = fault.get("input")
    shown = None if value is None or fault.get("type") == "missing" else str(value)[:_SHOWN]
    return {"field": place, "message": message, "row": None, "value": shown, "way_out": None}
