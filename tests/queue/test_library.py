"""The functions' text itself: what Redis finds out only when a line runs, half-way through a transition."""

import re

from pageworker_supervisor.queue.library import library

GIVEN = {
    *(
        "cjson",
        "cmsgpack",
        "error",
        "ipairs",
        "math",
        "next",
        "pairs",
        "redis",
        "require",
        "setmetatable",
        "string",
        "table",
    ),
    *("tonumber", "tostring", "type", "unpack"),
}
WORDS = {
    *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil", "not"),
    *("or", "repeat", "return", "then", "true", "until", "while", "self"),
}
NAME = r"[A-Za-z_]\w*"


def test_no_line_uses_a_name_that_is_not_defined_above_it() -> None:
    """A global that is not there is an error when its line runs; functions are not rolled back."""
    defined = set(GIVEN)
    unknown: list[str] = []
    for number, line in enumerate(_code().splitlines(), 1):
        for names in re.findall(rf"\blocal (?:function )?({NAME}(?:, {NAME})*)", line):
            defined |= set(names.split(", "))
        for names in re.findall(rf"\bfor ({NAME}(?:, {NAME})*)", line):
            defined |= set(names.split(", "))
        for names in re.findall(r"\bfunction ?[\w.:]*\(([^)]*)\)", line):
            defined |= set(names.split(", "))
        for name in re.findall(rf"(?<![\w.:])({NAME})\b(?! =[^=])", line):
            if name not in defined | WORDS:
                unknown.append(f"{number}: {name}: {line.strip()}")
    assert not unknown


def test_the_name_says_which_text_and_prefix_it_is() -> None:
    names = {library(prefix, cluster=cluster).name for prefix in ("pw", "p-w") for cluster in (False, True)}
    assert len(names) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", name) for name in names)
    assert library("pw", cluster=False) == library("pw", cluster=False)


def test_production_does_not_know_the_tests_clock() -> None:
    assert "local TEST_CLOCK = false" in library("pw", cluster=False).code
    assert "local TEST_CLOCK = true" in library("pw", cluster=False, test_clock=True).code


def _code() -> str:
    text = re.sub(r"(--|#!)[^\n]*", "", library("pw", cluster=False).code)
    return re.sub(r"'[^'\n]*'", "''", text)
