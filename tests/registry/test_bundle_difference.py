"""Two bundles that differ are told apart by file, and by the first line that differs."""

import pytest

from pageworker_sandbox.signing import BundleMalformed
from pageworker_sandbox.signing.archive import write_archive
from pageworker_supervisor.registry.bundle_difference import differences


def told(
    before: dict[str, bytes], after: dict[str, bytes]
) -> list[tuple[str, str, int | None, str | None, str | None]]:
    return [
        (each.file, each.kind, each.line, each.published, each.rebuilt)
        for each in differences(write_archive(before), write_archive(after))
    ]


def test_equal_bundles_do_not_differ() -> None:
    assert told({"a.py": b"1\n"}, {"a.py": b"1\n"}) == []


def test_each_kind_of_difference_is_named() -> None:
    before = {"a.py": b"one\ntwo\nthree\n", "b.py": b"", "d.bin": b"\xff"}
    after = {"a.py": b"one\n2\nthree\n", "c.py": b"", "d.bin": b"\xfe"}
    assert told(before, after) == [
        ("a.py", "differs", 2, "two\n", "2\n"),
        ("b.py", "only in the bundle", None, None, None),
        ("c.py", "only in the folder", None, None, None),
        ("d.bin", "differs", None, None, None),
    ]


@pytest.mark.parametrize(
    ("before", "after", "line", "published", "rebuilt"),
    [
        (b"a\n", b"a\r\n", 1, "a\n", "a\r\n"),
        (b"a\n", b"a", 1, "a\n", "a"),
        (b"a\nb\n", b"a\n", 2, "b\n", None),
        (b"", b"x", 1, None, "x"),
    ],
)
def test_line_ends_and_missing_lines_count(
    before: bytes, after: bytes, line: int, published: str | None, rebuilt: str | None
) -> None:
    assert told({"a": before}, {"a": after}) == [("a", "differs", line, published, rebuilt)]


def test_a_long_line_is_cut() -> None:
    (found,) = differences(write_archive({"a": b"x" * 1000}), write_archive({"a": b""}))
    assert found.published == "x" * 200


def test_what_is_no_bundle_is_refused() -> None:
    with pytest.raises(BundleMalformed):
        differences(b"PK", write_archive({}))
