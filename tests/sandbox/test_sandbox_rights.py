"""The table of rights is complete, and what is read from it is right."""

from pathlib import Path

import pytest

from pageworker_sandbox.sandbox_rights import ESSENTIAL, NAMES, RIGHTS, left_out, right_of, rights_table


def test_each_right_has_a_row_that_says_everything() -> None:
    assert tuple(right.name for right in RIGHTS) == NAMES
    assert all(all((right.what, right.loss, right.mend, right.probe)) for right in RIGHTS)
    assert [right_of(name).name for name in NAMES] == list(NAMES)


def test_essential_is_what_no_runner_starts_without() -> None:
    assert {right.name for right in RIGHTS if "No runner starts" in right.loss} == set(ESSENTIAL)
    assert set(ESSENTIAL) == {"landlock.fs", "seccomp", "userns", "chromium_sandbox"}


@pytest.mark.parametrize(
    ("required", "lacking"),
    [
        (NAMES, ()),
        (ESSENTIAL, ()),
        (("own_uid", "userns", "seccomp"), ("landlock.fs", "chromium_sandbox")),
        ((), ESSENTIAL),
    ],
)
def test_a_list_without_an_essential_right_lacks_it(required: tuple[str, ...], lacking: tuple[str, ...]) -> None:
    assert left_out(required) == lacking


def test_the_table_of_the_documents_has_every_right() -> None:
    rows = rights_table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(NAMES)
    assert all(row.count(" | ") == 5 for row in rows)


def test_the_table_of_the_documents_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "operations.md"
    assert rights_table() in page.read_text(), "run python -m pageworker_sandbox.sandbox_rights"
