"""How each surface calls the options that texts send people to.

The domain writes ``{way:crs}`` (``gridsvc.ways``). The command line says ``--crs``, HTTP the form
field or parameter ``crs``, pages the label that stands beside the field.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

from gridsvc.ways import Language, Way

Kind = Literal["form", "query", "both", "command"]
# What a label adds for who fills the field in: “（可空）”, ", one on each line".
_REMARK = re.compile(r"（| \(|，|, ")


@dataclass(frozen=True, slots=True)
class Option:
    """One option on the three surfaces.

    Attributes
    ----------
    cli : str
        The option, or a whole command with ``{value}``.
    field : str
        Field of the upload form or query parameter, or a request with ``{value}``; empty where
        HTTP has none.
    kind : {"form", "query", "both", "command"}
    label : str
        Key of ``maps.messages``; empty where pages have no such field.
    pairs : bool
        Whether a value is ``NAME=VALUE``, several with ``|`` between them.
    flag : bool
        Whether it is only switched on.
    """

    cli: str
    field: str = ""
    kind: Kind = "query"
    label: str = ""
    pairs: bool = False
    flag: bool = False


OPTIONS: dict[str, Option] = {
    # imports
    "as": Option("--as", "as", "form", "import_as"),
    "layer": Option("--layer", "layer", "form", "import_layer"),
    "crs": Option("--crs", "crs", "form", "import_crs"),
    "datum": Option("--datum", "datum", "both", "datum"),
    "encoding": Option("--encoding", "encoding", "both", "import_encoding"),
    "swap": Option("--swap", "swap", "form", "import_swap"),
    "map": Option("--map", "mapping", "form", "import_mapping", pairs=True),
    "set": Option("--set", "constants", "form", "import_constants", pairs=True),
    "decide": Option("--decide", "decisions", "form", "import_decisions", pairs=True),
    "parent": Option("--parent", "parent", "form", "import_parent"),
    "communities": Option("--communities", "communities", "form", "import_communities"),
    "subdistricts": Option("--subdistricts", "subdistricts", "form", "import_subdistricts"),
    "parent_level": Option("--parent-level", "parent_level", "form", "import_parent_level"),
    "parent_crs": Option("--parent-crs", "parent_crs", "form", "import_parent_crs"),
    "parent_datum": Option("--parent-datum", "parent_datum", "form", "import_parent_datum"),
    "exclusions": Option("--exclusions", "exclusions", "form"),
    "replace": Option("--replace", "replace", "form", "import_replace", flag=True),
    "number": Option("--number", "number", "form", "import_number", flag=True),
    "allow_unknown": Option(
        "--allow-unknown", "allow_unknown", "form", "import_allow_unknown", flag=True
    ),
    "code_system": Option("--code-system", "code_system", "form", "import_code_system"),
    "date_order": Option("--date-order", "date_order", "form", "import_date_order"),
    "gap_width_m": Option("--gap-width", "gap_width_m", "form"),
    "snap_m": Option("--snap", "snap_m", "form"),
    "timezone": Option("--timezone"),
    # questions
    "since": Option("--since", "since", "query", "since"),
    "until": Option("--until", "until", "query", "until"),
    "at": Option("--at", "at", "both"),
    "plan": Option("--plan", "plan", "query", "plan"),
    "batch": Option("--batch"),
    "cell": Option("--cell", "cell", "query", "cell"),
    "community": Option("--community", "community", "query", "community"),
    "subdistrict": Option("--subdistrict", "subdistrict", "query", "subdistrict"),
    "class": Option("--class", "category", "query", "issue_class"),
    "denominator": Option("--denominator", "denominator", "query", "denominator"),
    "inspectors": Option("--inspectors", "inspectors", "query", "inspectors"),
    "window": Option("--window", "window", "query", "window"),
    "start": Option("--start", "start", "query", "start"),
    "max_snap_m": Option("--max-snap", "max_snap_m", "query"),
    "output": Option("-o"),
    "force": Option("--force"),
    # whole ways
    "repair": Option("gridsvc repair", kind="command"),
    "check_findings": Option(
        "gridsvc check {value} --findings {file}",
        "GET /api/v1/plans/{value}/findings",
        "command",
        "import_plan_map",
    ),
    "withdraw": Option(
        "gridsvc plan withdraw {value}",
        "POST /api/v1/plans/{value}/withdraw",
        "command",
        "withdraw",
    ),
    "name_city": Option("gridsvc scheme name --scheme {value}", kind="command"),
    "export": Option(
        "gridsvc export {value}", "GET /api/v1/exports/{value}", "command", "layer_classes"
    ),
}


def cli(way: Way, language: Language) -> str:
    """Return options of the command line: ``--crs EPSG:4548``."""
    parts = []
    for name in way.names:
        known = OPTIONS.get(name)
        if known is None:
            parts.append(name)
        elif known.kind == "command":
            file = "文件" if language == "zh" else "FILE"
            parts.append(known.cli.format(value=way.value, file=file))
        elif known.flag or not way.value:
            parts.append(known.cli)
        else:
            values = way.value.split("|") if known.pairs and name == "map" else [way.value]
            parts.append(" ".join(f"{known.cli} {value}" for value in values))
    return _joined(parts, language)


def http(way: Way, language: Language) -> str:
    """Return form fields and parameters: ``form field crs=EPSG:4548``."""
    known = [OPTIONS.get(name) for name in way.names]
    if known[0] is not None and (known[0].kind == "command" or not known[0].field):
        return (known[0].field or known[0].cli).format(value=way.value)
    form = all(one is not None and one.kind == "form" for one in known)
    noun = {"zh": "表单字段" if form else "参数", "en": "form field" if form else "parameter"}
    fields = [n if one is None else one.field for n, one in zip(way.names, known, strict=True)]
    said = f"{noun[language]} {_joined(fields, language)}"
    first = known[0]
    if first is not None and first.flag:
        return f"{said}=true"
    if not way.value:
        return said
    return f"{said}={_json(way) if first is not None and first.pairs else way.value}"


def page(way: Way, language: Language) -> str:
    """Return the labels of the fields of a page, as ``http`` where a page has none."""
    from maps.messages import text  # folium takes seconds, which commands have no use for

    labels = []
    for name in way.names:
        known = OPTIONS.get(name)
        if known is None or not known.label:
            return http(way, language)
        label = _REMARK.split(text(known.label, language))[0]
        labels.append(f"“{label}”" if language == "zh" else f'"{label}"')
    said = _joined(labels, language)
    first = OPTIONS[way.names[0]]
    if first.kind == "command" or not way.value:
        return said
    value = _label_of(way, language)
    values = value.split("|") if way.names[0] == "map" else [value]
    listing = _joined(values, language)
    return f"{said}({listing})" if language == "zh" else f"{said} ({listing})"


def _label_of(way: Way, language: Language) -> str:
    """Return a value as the page's list shows it."""
    from maps.messages import MESSAGES, text

    stems = {"as": "layer", "swap": "import_swap", "code_system": "import_code_system"}
    key = f"{stems.get(way.names[0], '')}_{way.value}"
    return text(key, language) if key in MESSAGES else way.value


def _joined(parts: list[str], language: Language) -> str:
    return ("、" if language == "zh" else ", ").join(parts)


def _json(way: Way) -> str:
    values = way.value.split("|") if way.names[0] == "map" else [way.value]
    found: dict[str, str] = {}
    for value in values:
        # Codes and gaps may hold "=" themselves, as in the option's own parser.
        split = value.rpartition("=") if way.names[0] == "decide" else value.partition("=")
        found[split[0]] = split[2]
    return json.dumps(found, ensure_ascii=False)
