"""Which browser may open which profile, and what a hostile file of the profile can do to that: nothing."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_profiles import errors
from pageworker_profiles.browser_version import (
    FILE,
    MAX_BYTES,
    UNKNOWN,
    BrowserVersion,
    last_version,
    parse_version,
    refuse_older,
    version_in,
)
from pageworker_profiles.errors import BrowserOlder

OLD, NEW = BrowserVersion(99, 0, 4844, 84), BrowserVersion(156, 0, 8078, 108)
VERSIONS = st.builds(BrowserVersion, *[st.integers(0, 99_999)] * 4)


def read(folder: Path) -> BrowserVersion | None:
    descriptor = os.open(folder, os.O_PATH)
    try:
        return last_version(descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("156.0.8078.108", NEW),
        ("99.0.4844.84", OLD),
        ("", None),
        ("156", None),
        ("156.0.8078", None),
        ("156.0.8078.108.1", None),
        ("156.0.8078.-1", None),
        ("156.0.8078.1 8", None),
        ("156.0..108", None),
        ("156.0.8078.٣", None),
        ("156.0.8078.²", None),
        ("999999.0.0.0", None),
    ],
)
def test_a_version_is_four_numbers_and_nothing_else(text: str, version: BrowserVersion | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    "output",
    [
        "Chromium 156.0.8078.108 \n",
        "Chromium 156.0.8078.108 built on Debian GNU/Linux 13 (trixie)\n",
        "Google Chrome for Testing 156.0.8078.108\n",
    ],
)
def test_the_version_is_found_in_what_a_browser_prints(output: str) -> None:
    assert version_in(output) == NEW


@pytest.mark.parametrize("output", ["", "Chromium", "error 1.2.3"])
def test_a_browser_that_prints_no_version_has_an_unknown_one(output: str) -> None:
    assert version_in(output) == UNKNOWN


@pytest.mark.parametrize("browser", [OLD, NEW._replace(patch=107), NEW._replace(minor=-1), UNKNOWN])
def test_an_older_browser_is_refused_by_both_versions(browser: BrowserVersion) -> None:
    with pytest.raises(BrowserOlder, match=r"156\.0\.8078\.108") as caught:
        refuse_older(browser, NEW)
    assert ("does not say" if browser == UNKNOWN else str(browser)) in str(caught.value)
    again = getattr(errors, type(caught.value).__name__)(str(caught.value), **caught.value.fields())
    assert (again.browser, again.wrote, again.retryable) == (str(browser), str(NEW), True)


@pytest.mark.parametrize(("browser", "wrote"), [(NEW, NEW), (NEW, OLD), (None, NEW), (OLD, None), (UNKNOWN, None)])
def test_any_other_is_not_refused(browser: BrowserVersion | None, wrote: BrowserVersion | None) -> None:
    refuse_older(browser, wrote)


@given(VERSIONS, VERSIONS)
def test_of_two_versions_the_first_number_that_differs_decides(one: BrowserVersion, other: BrowserVersion) -> None:
    assert parse_version(str(one)) == one
    differs = next(((mine, its) for mine, its in zip(one, other, strict=True) if mine != its), (0, 0))
    try:
        refuse_older(one, other)
    except BrowserOlder:
        assert differs[0] < differs[1]
    else:
        assert differs[0] >= differs[1]


@pytest.mark.parametrize(
    ("content", "version"), [(b"156.0.8078.108", NEW), (b"156.0.8078.108\n", NEW), (b"\xff", None)]
)
def test_the_file_of_the_profile_is_read(tmp_path: Path, content: bytes, version: BrowserVersion | None) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert read(tmp_path) == version


def test_the_longest_version_is_read_and_a_longer_file_is_none(tmp_path: Path) -> None:
    longest = BrowserVersion(*[99_999] * 4)
    (tmp_path / FILE).write_text(str(longest))
    assert read(tmp_path) == longest
    (tmp_path / FILE).write_text(str(longest) + " " * MAX_BYTES + "x")
    assert read(tmp_path) == longest, "no more than the first bytes are read"
    (tmp_path / FILE).write_text(str(longest) + "9" * MAX_BYTES)
    assert read(tmp_path) is None


@pytest.mark.timeout(10)
def test_what_is_no_regular_file_is_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    (tmp_path / "other").write_text(str(NEW))
    for make in (
        lambda path: path.symlink_to("other"),
        lambda path: os.mkfifo(path),
        lambda path: path.mkdir(),
        lambda path: path.symlink_to(path),
    ):
        folder = tmp_path / os.urandom(4).hex()
        folder.mkdir()
        (folder / "other").write_text(str(NEW))
        make(folder / FILE)
        assert read(folder) is None
