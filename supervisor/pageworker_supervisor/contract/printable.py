"""Foreign text made fit to be shown: the one place where control characters are escaped. Pure.

Terminals obey control characters (move, erase, rename the window, answer as if somebody typed), line feeds start a line
that seems to be ours, and bidirectional controls reorder what a reader sees (CVE-2021-42574). Texts of modules, jobs,
pages, peers and Redis pass through here before they are printed.
"""

import re

SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# C0, DEL and C1 · Arabic letter mark · zero-width space, marks of direction · line and paragraph separators, embeddings
# and overrides · word joiner to deprecated format characters, isolates · surrogates · byte order mark · interlinear
# annotations · tags. Joiners (U+200C, U+200D) stay: scripts and emoji need them, and they change nothing else.
_HIDDEN = (
    "\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"
)
_UNSAFE = re.compile(f"[\x00-\x1f{_HIDDEN}]")
_UNSAFE_IN_LINES = re.compile(f"[\x00-\x09\x0b-\x1f{_HIDDEN}]")


def printable(text: object) -> str:
    """One line, in which nothing but what is seen: control characters as `\\n`, `\\x1b` or `\\u202e`.

    What is printable already stays as it is, so that a second time changes nothing.
    """
    return _UNSAFE.sub(_escaped, str(text))


def printable_lines(text: object) -> str:
    """The same for a text of ours that has lines: line feeds stay. What is foreign in it has passed `printable`."""
    return _UNSAFE_IN_LINES.sub(_escaped, str(text))


def printable_json(json: str) -> str:
    """JSON that says the same to a program and is safe on a terminal: such characters only occur in its strings, where
    JSON has an escape for each. Line feeds between values stay."""
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
