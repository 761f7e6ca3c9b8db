"""Ways out in texts: what to use is named neutrally and spoken for where it is read.

A text that sends a person to an option holds a token such as ``{way:crs}`` or
``{way:crs=EPSG:4548}``. Each surface (command line, HTTP, browser) turns tokens into what its
readers can use; Python callers read names of arguments. A token is plain text, so that texts are
composed, kept and sent on before anybody knows who will read them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Language = Literal["zh", "en"]

_TOKEN = re.compile(r"\{way:([A-Za-z_, -]+)(?:=([^{}]*))?\}")
# Braces of a value would end its token.
_ESCAPES = (("%", "%25"), ("{", "%7B"), ("}", "%7D"))
_ARGUMENTS = {"map": "mapping", "set": "constants", "decide": "decisions", "as": "as_layer"}
_OPENING = "{way:"
_VERBATIM = "verbatim"
_CALLS = {
    "repair": "gridsvc.quality.repair",
    "check_findings": "gridsvc.services.planning.findings_layer",
    "export": "UnitOfWork.records",
    "name_city": "gridsvc.services.naming.name_city",
}


@dataclass(frozen=True, slots=True)
class Way:
    """One option, or several of which a text speaks together.

    Attributes
    ----------
    names : tuple of str
        Neutral names such as ``crs`` or ``date_order``.
    value : str
        What to give for it, empty where the text leaves that open.
    """

    names: tuple[str, ...]
    value: str = ""


Speak = Callable[[Way, Language], str]


def way(names: str, value: Any = "") -> str:
    """Return the token of an option (several names with commas), for texts that are composed.

    Examples
    --------
    >>> way("crs"), way("decide", "a{1}=drop")
    ('{way:crs}', '{way:decide=a%7B1%7D=drop}')
    """
    text = str(value)
    for plain, escaped in _ESCAPES:
        text = text.replace(plain, escaped)
    return f"{{way:{names}={text}}}" if text else f"{{way:{names}}}"


def verbatim(text: Any) -> str:
    """Return a text of others (a name, a value, a column) so that no token is read in it.

    Examples
    --------
    >>> spoken("cell " + verbatim("{way:crs}") + ": use {way:crs}", "en")
    'cell {way:crs}: use crs'
    """
    return str(text).replace(_OPENING, way(_VERBATIM, _OPENING))


class Token:
    """Lets format strings hold tokens: ``"{way:crs}".format(way=Token())`` keeps the token."""

    def __format__(self, spec: str) -> str:
        """Return the token of ``names`` or ``names=value``."""
        names, _, value = spec.partition("=")
        return way(names, value)


def as_python(found: Way, language: Language) -> str:
    """Return the way out as arguments of a function."""
    if found.names[0] in _CALLS:
        return _CALLS[found.names[0]]
    names = [_ARGUMENTS.get(name, name) for name in found.names]
    value = found.value.replace("|", ", ")
    return f"{names[0]}={value}" if value else ", ".join(names)


def as_token(found: Way, language: Language) -> str:
    """Return the token itself, for texts that go into others."""
    return way(",".join(found.names), found.value)


def spoken(text: str, language: Language, speak: Speak = as_python) -> str:
    """Return a text with its tokens in the words of a surface.

    Examples
    --------
    >>> spoken("state it with {way:crs=EPSG:4548}", "en")
    'state it with crs=EPSG:4548'
    """
    if "{way:" not in text:
        return text

    def one(match: re.Match[str]) -> str:
        value = match[2] or ""
        for plain, escaped in reversed(_ESCAPES):
            value = value.replace(escaped, plain)
        names = tuple(name.strip() for name in match[1].split(","))
        if names == (_VERBATIM,):
            return match[0] if speak is as_token else value
        return speak(Way(names, value), language)

    return _TOKEN.sub(one, text)


def spoken_document(document: Any, language: Language, speak: Speak) -> Any:
    """Return a JSON document with the tokens in its texts spoken.

    Texts under ``zh`` and ``en``, or keys that end so, are in that language; others in
    ``language``.
    """
    if isinstance(document, str):
        return spoken(document, language, speak)
    if isinstance(document, dict):
        return {
            key: spoken_document(value, _language_of(str(key), language), speak)
            for key, value in document.items()
        }
    if isinstance(document, list | tuple):
        return [spoken_document(value, language, speak) for value in document]
    return document


def spoken_fields(fields: dict[str, Any], language: Language, speak: Speak) -> dict[str, Any]:
    """Return the facts of an error with tokens spoken in its texts.

    Its texts end in ``_zh`` or ``_en``; other words are names and values as they were given.
    """
    return {
        name: value
        if isinstance(value, str) and not name.endswith(("_zh", "_en"))
        else spoken_document(value, _language_of(name, language), speak)
        for name, value in fields.items()
    }


def _language_of(key: str, language: Language) -> Language:
    if key == "zh" or key.endswith("_zh"):
        return "zh"
    return "en" if key == "en" or key.endswith("_en") else language
