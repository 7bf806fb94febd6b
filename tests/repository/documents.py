"""The documents of the repository, and what they name: code, links, headings. Pure but for reading files."""

import re
from collections.abc import Iterator
from pathlib import Path

from repository.sources import ROOT, tracked

DOCUMENTS = tracked("*.md", "**/*.md")
"""Every Markdown file."""

HISTORY = "CHANGELOG.md"
"""Names what existed in earlier versions, so the names in it are not checked."""

CURRENT = [file for file in DOCUMENTS if file.name != HISTORY]

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"``([^\n]+?)``|`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.*?)\s*$", re.MULTILINE)


def ids(file: Path) -> str:
    """A document's name in test ids."""
    return str(file.relative_to(ROOT))


def blocks(text: str, language: str | None = None) -> list[str]:
    """Fenced code blocks, of one language or all."""
    return [body for kind, body in _FENCE.findall(text) if language in (None, kind)]


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return _FENCE.sub("", text)


def inline_code(text: str) -> list[str]:
    """Every `code span` outside of fenced blocks."""
    return [double or single for double, single in _INLINE.findall(prose(text))]


def command_lines(text: str, program: str) -> Iterator[list[str]]:
    """The words that follow `program` in code spans and in the lines of shell blocks, one list per use.

    `a|b` stands for two uses. A comment, a pipe, a closing quote or the end of the line ends a command line.
    """
    lines = inline_code(text)
    for body in blocks(text):
        lines += body.replace("\\\n", " ").splitlines()
    for line in lines:
        for match in re.finditer(rf"(?:^|[\s/(`]){program}((?: +[^#;&)`]+)?)", line):
            words = re.split(r" \| ", match[1].split("  #")[0])[0].split()
            first, *rest = words or [""]
            yield from ([one, *rest] if one else [] for one in first.split("|"))


def links(text: str) -> list[tuple[str, str]]:
    """`(path, anchor)` of every relative link; either may be empty."""
    targets = [target.partition("#") for target in _LINK.findall(prose(text))]
    return [(path, part) for path, _, part in targets if "://" not in path and not path.startswith("mailto:")]


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        number = next(n for n in range(100) if (f"{anchor}-{n}" if n else anchor) not in found)
        found.add(f"{anchor}-{number}" if number else anchor)
    return found


def banned_words(glossary: str) -> dict[str, str]:
    """The words of the glossary's last table, and what to write instead."""
    table = glossary.partition("## Words not to use")[2]
    rows = re.findall(r"^\| ([a-z]+) \| (.+?) \|$", table, re.MULTILINE)
    return {word: instead for word, instead in rows if word != "word"}
