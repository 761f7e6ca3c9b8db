"""Structured logs: for a terminal or as one JSON object a line."""

from __future__ import annotations

import logging
import sys

import structlog

from api.settings import Settings

_PRIVATE = frozenset({"phone", "reporter", "password", "token", "authorization", "query"})


def hide_private(
    logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Replace values that must not stand in a log, whoever put them there."""
    for name in event.keys() & _PRIVATE:
        event[name] = "…"
    return event


def configure_logs(settings: Settings) -> None:
    """Set up structlog by the settings; messages go to the standard error stream."""
    level = getattr(logging, settings.log_level.upper())
    # Tracebacks without local variables: these may hold anything.
    last: structlog.typing.Processor = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_private,
    ]
    if settings.log_format == "json":
        transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        processors.append(structlog.processors.ExceptionRenderer(transform))
        last = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*processors, last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
