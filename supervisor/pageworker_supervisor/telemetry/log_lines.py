"""Formats a log record as one line, JSON or text. The line is safe on a terminal even with foreign text in it. Pure."""

import datetime as dt
import re
import traceback
from typing import TYPE_CHECKING, Any

import msgspec

from pageworker_supervisor.contract.printable import printable, printable_json

if TYPE_CHECKING:
    from loguru import Record

MAX_CHARACTERS = 8192
"""Maximum length of a message or field. Longer text is cut."""

HIDDEN = frozenset({"payload", "body", "password", "secret", "token", "authorization", "cookie", "cookies"})
"""Fields whose name ends with one of these words are written as `(hidden)`."""

BOLD = 1
COLOURS = {"DEBUG": 2, "INFO": 32, "WARNING": 33, "ERROR": 31, "CRITICAL": 31}
"""Of levels: SGR codes (ECMA-48), dim, green, yellow and red. Other levels are bold."""

TRACE_INDENT = "    | "
_SPACES = re.compile(r"\s{2,}")
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]")
_TO_QUOTE = re.compile(r"[\s=\"]|^$")
_USERINFO = re.compile(r"(://[^/\s:@\"]*):[^/\s@\"]+@")
_encoder = msgspec.json.Encoder(enc_hook=str)


def json_line(record: "Record") -> str:
    """One JSON object and a line feed. Fields cannot replace `ts`, `level` and `message`."""
    line: dict[str, Any] = {
        "ts": _instant(record["time"]),
        "level": record["level"].name.lower(),
        "message": _cut(record["message"]),
    }
    for name, value in record["extra"].items():
        if value is not None and name not in line:
            line[name] = shown(name, value)
    if record["exception"] is not None:
        line["exception"] = _cut(_trace(record), keep_end=True)
    return _without_userinfo(printable_json(_encoder.encode(line).decode())) + "\n"


def text_line(record: "Record", *, coloured: bool = False) -> str:
    """A line for people: time, level, message, two spaces, then the fields as `name=value`. A traceback is indented.

    Foreign text cannot start a line or a field: a message has no two spaces in a row, a name has no space, and a value
    with a space is quoted. `coloured`: the level has a colour.
    """
    fields = " ".join(
        f"{_NO_NAME.sub('_', name)}={_value(name, value)}"
        for name, value in record["extra"].items()
        if value is not None
    )
    message = _SPACES.sub(" ", printable(_cut(record["message"]))).strip()
    level = f"{record['level'].name:<7}"
    if coloured:
        level = f"\x1b[{COLOURS.get(record['level'].name, BOLD)}m{level}\x1b[0m"
    text = f"{record['time']:%H:%M:%S.%f}"[:-3] + f" {level} {message}"
    text += f"  {fields}" if fields else ""
    if record["exception"] is not None:
        text += "".join(f"\n{TRACE_INDENT}{printable(line)}" for line in _trace(record).rstrip("\n").split("\n"))
    return _without_userinfo(text) + "\n"


def _value(name: str, value: object) -> str:
    text = printable(shown(name, value))
    return msgspec.json.encode(text).decode() if _TO_QUOTE.search(text) else text


def shown(name: str, value: object) -> object:
    """The value of a field, hidden or shortened as necessary."""
    if name.lower().rpartition("_")[2] in HIDDEN:
        return "(hidden)"
    if isinstance(value, bytes | bytearray | memoryview | msgspec.Raw):
        return f"({len(bytes(value))} bytes)"
    return _cut(value) if isinstance(value, str) else value


def _instant(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _cut(text: str, *, keep_end: bool = False) -> str:
    if not text.isascii():
        # JavaScript can send half a surrogate pair, which has no UTF-8 encoding.
        text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= MAX_CHARACTERS:
        return text
    # The end of a stack trace names the error. In other text the beginning is more useful.
    return "…" + text[-MAX_CHARACTERS:] if keep_end else text[:MAX_CHARACTERS] + "…"


def _trace(record: "Record") -> str:
    exception = record["exception"]
    if exception is None or exception.value is None:
        return ""
    # The standard formatter on purpose: the one of loguru can print values of local variables.
    return "".join(traceback.format_exception(exception.value))


def _without_userinfo(line: str) -> str:
    return _USERINFO.sub(r"\1:(hidden)@", line) if "@" in line and "://" in line else line
