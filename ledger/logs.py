"""The one door for logs: JSON lines on stderr, one event each, with a correlation id.

Whatever is logged, here or by a library, passes the same processors, the last of which blanks
every value whose name says that it is a secret. Nothing else in the project configures logging.
"""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_SECRET = re.compile(
    r"(^|[_-])(key|api_?key|authorization|secret|password|passwd|credentials?|cookie|dsn"
    r"|database_url|bearer|access_token|auth_token)$",
    re.IGNORECASE,
)
#: Where a secret stands in the middle of a text: an API key, or a URL's password.
_SECRET_TEXT = re.compile(r"(tlk_[a-z0-9]{12}_)[A-Za-z0-9_-]+|(://[^:/@\s]*:)[^@/\s]+(?=@)")
_BLANK = "[redacted]"
_encode = msgspec.json.Encoder(enc_hook=repr).encode

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]

#: One list for ever: a logger that was used once keeps the list that it found.
_processors: list[Processor] = []


def configure(level: Level = "info", output: Format = "json") -> None:
    """Send every log of this process through this module; call once at start."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    _processors[:] = [
        structlog.stdlib.filter_by_level,
        *shared,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ]
    structlog.configure(
        processors=_processors,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    rendered: list[Processor] = (
        [structlog.processors.format_exc_info, redact, _render_json]
        if output == "json"
        else [
            redact,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )
    handler = _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    _adopt_libraries()


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger by its module's name; works before `configure` too."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


@contextmanager
def correlated(correlation_id: str, **more: str) -> Iterator[None]:
    """Every log within the block, in this thread or task, carries the correlation id."""
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id, **more):
        yield


class _Stderr(logging.Handler):
    """Writes each line whole to what stderr is at the moment of writing."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 -- a log line that cannot be written fails no request
            self.handleError(record)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank out values whose name says they are secret, at any depth, and secrets in texts."""
    return {name: _blanked(name, value) for name, value in event.items()}


def _blanked(name: str, value: Any) -> Any:
    if _SECRET.search(name):
        return _BLANK
    if isinstance(value, str):
        return _SECRET_TEXT.sub(lambda match: (match[1] or match[2]) + _BLANK, value)
    if isinstance(value, dict):
        return {inner: _blanked(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_blanked(name, item) for item in value]
    return value


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    event.pop("color_message", None)  # uvicorn says everything twice
    return _encode(event).decode()


def _adopt_libraries() -> None:
    """Let libraries that bring handlers of their own use ours; keep the chatty ones quiet."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "fastapi"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    for name in ("kafka", "psycopg.pool", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It complains of every tenth of a second in which another thread had the interpreter.
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
