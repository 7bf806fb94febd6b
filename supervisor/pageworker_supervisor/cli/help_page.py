"""Prints `--help` from the pages that are shipped in the folder `help`, so that it imports no command.

To import a command only for its help would take several times as long as everything else. `help_pages.py` generates the
pages from the docstrings; a test compares them. Each line of a page is a paragraph. A line that begins with a tab has
two columns. A command without a page is no mistake: cyclopts prints its help.
"""

import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent / "help"
ROOT_PAGE = "workerctl"
FLAGS = frozenset({"--help", "-h"})
COMMANDS_HEAD = "Commands:"
LEAST_COLUMNS, MOST_COLUMNS = 60, 100
LONGEST_LABEL = 24
"""Columns. The text of a longer label begins on the next line."""


def page_file(path: Sequence[str]) -> str:
    """The name of the page of a command. Without words: that of `workerctl` itself."""
    return "-".join([ROOT_PAGE, *path]) + ".txt"


def asked_page(words: Sequence[str]) -> str | None:
    """The page that a command line asks for. None if it asks for none, or if there is none."""
    asked = next((index for index, word in enumerate(words) if word in FLAGS or word == "--"), None)
    if asked is None or words[asked] == "--":
        return None
    path = list(words[:asked])
    for length in range(len(path), 0 if path else -1, -1):
        page = shipped_page(path[:length])
        if page is not None:
            # A word behind a group may be a mistake: cyclopts reports it.
            return None if length < len(path) and f"\n{COMMANDS_HEAD}\n" in page else page
    return None


def shipped_page(path: Sequence[str]) -> str | None:
    """The text of the page of a command, None if there is none."""
    if any("/" in word or word.startswith(".") for word in path):
        return None
    try:
        return (FOLDER / page_file(path)).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def columns() -> int:
    """Width for a page on this terminal."""
    return max(LEAST_COLUMNS, min(MOST_COLUMNS, shutil.get_terminal_size().columns))


def rendered(page: str, width: int) -> str:
    """A page in lines of at most `width` columns."""
    lines: list[str] = []
    labels = [line.split("\t")[1] for line in page.split("\n") if line.startswith("\t")]
    indent = 4 + max((len(label) for label in labels if len(label) <= LONGEST_LABEL), default=0)
    for line in page.rstrip("\n").split("\n"):
        if line.startswith("\t"):
            _, label, text = line.split("\t", 2)
            lines += _entry(label, text, indent, width)
        else:
            lines += _wrapped(line, width) or [""]
    return "\n".join(lines)


def _entry(label: str, text: str, indent: int, width: int) -> list[str]:
    body = _wrapped(text, max(width - indent, LEAST_COLUMNS // 2))
    head = f"  {label}"
    if len(head) + 2 > indent:
        return [head, *(" " * indent + line for line in body)]
    return [head.ljust(indent) + (body[0] if body else ""), *(" " * indent + line for line in body[1:])]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
