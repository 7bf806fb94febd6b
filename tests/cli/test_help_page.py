"""Pages of `--help` as they are printed."""

import pytest

from pageworker_supervisor.cli.help_page import (
    LEAST_COLUMNS,
    MOST_COLUMNS,
    asked_page,
    page_file,
    rendered,
    shipped_page,
)

PAGE = """Usage: workerctl x [OPTIONS]

A paragraph with several words, which is longer than a line.

Options:
\t--a\tShort.
\t--long-option WORD\tWords that do not fit into one line, and so continue below.
\t--a-very-long-option-indeed WORD\tText.
"""


def test_a_page_fits_into_the_width() -> None:
    assert rendered(PAGE, 50).split("\n") == [
        "Usage: workerctl x [OPTIONS]",
        "",
        "A paragraph with several words, which is longer",
        "than a line.",
        "",
        "Options:",
        "  --a                 Short.",
        "  --long-option WORD  Words that do not fit into one",
        "                      line, and so continue below.",
        "  --a-very-long-option-indeed WORD",
        "                      Text.",
    ]


@pytest.mark.parametrize("width", [LEAST_COLUMNS, 80, MOST_COLUMNS])
def test_no_shipped_page_is_wider_or_loses_a_word(width: int) -> None:
    page = shipped_page(["jobs", "cancel"])
    assert page is not None
    text = rendered(page, width)
    assert text.split() == page.split()
    assert all(len(line) <= width or " " not in line.strip() for line in text.split("\n"))


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("--help", ()),
        ("-h", ()),
        ("jobs --help", ("jobs",)),
        ("jobs list --help", ("jobs", "list")),
        ("jobs cancel acme/17 --tenant b --help", ("jobs", "cancel")),
        ("status --json -h", ("status",)),
    ],
)
def test_a_page_is_found(words: str, path: tuple[str, ...]) -> None:
    page = asked_page(words.split())
    assert page is not None
    assert page == shipped_page(path)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "jobs",
        "nonsense --help",
        "jobs nonsense --help",
        "resume --help",
        "submit -- --help",
        "../app --help",
        ". -h",
    ],
)
def test_cyclopts_answers_the_rest(words: str) -> None:
    assert asked_page(words.split()) is None


def test_a_page_is_a_file_of_its_own() -> None:
    assert [page_file([]), page_file(["module", "channel", "set"])] == [
        "workerctl.txt",
        "workerctl-module-channel-set.txt",
    ]
