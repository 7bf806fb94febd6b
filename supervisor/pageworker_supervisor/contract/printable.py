"""Escapes control characters in foreign text before it is shown. The only place that does it. Pure.

A terminal obeys control characters: they move the cursor, erase text, rename the window and can type input. A line
feed starts a line that looks like our own output. Bidirectional controls reorder what a reader sees (CVE-2021-42574).
So text from modules, jobs, pages, peers and Redis passes through here before it is printed.
"""

import re

SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# C0, DEL and C1 · Arabic letter mark · zero-width space, marks of direction · line and paragraph separators, embeddings
# and overrides · word joiner to deprecated format characters, isolates · surrogates · byte order mark · interlinear
# annotations · tags. Joiners (U+200C, U+200D) stay: scripts and emoji need them, and they have no other effect.
_HIDDEN = (
    "\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"
)
_UNSAFE = re.compile(f"[\x00-\x1f{_HIDDEN}]")
_UNSAFE_IN_LINES = re.compile(f"[\x00-\x09\x0b-\x1f{_HIDDEN}]")


def printable(text: object) -> str:
    """One line, with control characters escaped as `\\n`, `\\x1b` or `\\u202e`.

    Printable text stays as it is, so a second call changes nothing.
    """
    return _UNSAFE.sub(_escaped, str(text))


def printable_lines(text: object) -> str:
    """The same for our own text with several lines: line feeds stay. Foreign parts must have passed `printable`."""
    return _UNSAFE_IN_LINES.sub(_escaped, str(text))


def printable_json(json: str) -> str:
    """JSON with the same value for a program, safe on a terminal. Line feeds between values stay.

    Control characters can only stand inside JSON strings, and JSON has an escape for each of them.
    """
    return _UNSAFE_IN_LINES.sub(_json_escaped, json)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    number = ord(character)
    if character in SHORT:
        return SHORT[character]
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
