"""Words that the glossary rules out appear nowhere: metaphors in names, and sentences without a clear subject."""

import re
from functools import cache

import pytest

from repository.documents import banned_words
from repository.sources import ROOT, relative, tracked, words

GLOSSARY = "docs/glossary.md"
BANNED = banned_words((ROOT / GLOSSARY).read_text())
"""Word, and what to write instead, from the glossary's last table. Plurals and other forms count as well."""

ALLOWED_FILES = {GLOSSARY, "tests/repository/test_words.py"}
PATTERNS = ("*.py", "*.lua", "*.md", "*.toml", "*.cfg", "*.sh", "Makefile", "Containerfile")

DISTRIBUTIVE = re.compile(r"\b[A-Z]+(?:_[A-Z]+)*_A_[A-Z_]+\b")
"""`TICKETS_A_CALL`: write `JOBS_PER_CALL`."""

FOREIGN = re.compile(
    r"libreswall|nobody:|\"nobody\"|'nobody'|table cell|spreadsheet|wall clock|wall-clock|template engine"
)
"""Where the word has its own meaning: the user `nobody`, a clock."""

STEMS = {word: re.compile(rf"{word}(s|ed|er|ers|ing|es)?") for word in BANNED}


@cache
def banned_stem(part: str) -> str | None:
    """The banned word that this is a form of. Cached: the same few thousand words make up all files."""
    return next((word for word, stem in STEMS.items() if stem.fullmatch(part)), None)


def banned_in(text: str) -> list[str]:
    """Each line that has a banned word, with the word and what to write instead."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        rest = FOREIGN.sub("", line)
        for part in words(rest):
            word = banned_stem(part)
            if word is not None:
                found.append(f"{number}: `{word}`, write {BANNED[word]}: {line.strip()[:100]}")
        found += [f"{number}: {name}: write _PER_" for name in DISTRIBUTIVE.findall(rest)]
    return found


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_banned_word_is_used(pattern: str) -> None:
    found = [
        f"{relative(file)}:{line}"
        for file in tracked(pattern, f"**/{pattern}")
        if relative(file) not in ALLOWED_FILES
        for line in banned_in(file.read_text())
    ]
    assert found == [], f"{len(found)} lines:\n" + "\n".join(found[:200])


@pytest.mark.parametrize("line", ["no Rooms here", "wake_rooms", "DesksTest", "TICKETS_A_CALL = 3", "the cells'"])
def test_the_check_finds_each_form(line: str) -> None:
    assert banned_in(line)


@pytest.mark.parametrize("line", ["background", "in the foreground", "cellular", "wall clock", "uid = nobody:nogroup"])
def test_the_check_leaves_other_words_alone(line: str) -> None:
    assert banned_in(line) == []
