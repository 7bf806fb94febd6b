"""What differs between two bundles."""

from typing import Any

import pytest
from pw_modules.author import CODE, SCHEMA, manifest

from pageworker_sandbox.signing import BundleMalformed, PackedBundle, read_bundle
from pageworker_sandbox.signing.archive import write_archive
from pageworker_sandbox.signing.bundle import write_bundle
from pageworker_supervisor.registry.bundle_difference import (
    MAX_SHOWN,
    ValueDifference,
    bundle_difference,
    file_differences,
)


def bundle(
    more: str = "", files: dict[str, bytes] | None = None, schema: dict[str, Any] = SCHEMA, **rest: Any
) -> PackedBundle:
    return read_bundle(write_bundle(manifest(more=more), schema, {"shop_product.py": CODE, **(files or {})}, **rest))


def test_equal_bundles_do_not_differ() -> None:
    found = bundle_difference(bundle(), bundle(more="# a comment\n"))
    assert found.same
    assert (found.before, found.after) == ("shop.product@1.4.2", "shop.product@1.4.2")


def test_keys_of_the_manifest_are_told_one_by_one() -> None:
    before = bundle("timeout_seconds = 5\n[page]\nlocale = 'de-DE'\n")
    after = bundle("tenants = ['acme']\ntimeout_seconds = 6\n[page]\ntimezone_id = 'Europe/Berlin'\n")
    assert bundle_difference(before, after).manifest == (
        ValueDifference("page.locale", '"de-DE"', None),
        ValueDifference("page.timezone_id", None, '"Europe/Berlin"'),
        ValueDifference("tenants", '["*"]', '["acme"]'),
        ValueDifference("timeout_seconds", "5.0", "6.0"),
    )


def test_schemas_are_compared_as_they_were_packed() -> None:
    wider = {key: value for key, value in SCHEMA.items() if key != "required"} | {"maxProperties": 3}
    found = bundle_difference(bundle(), bundle("[output]\n", schema=wider, output_schema={"type": "object"}))
    assert found.input_schema == (
        ValueDifference("maxProperties", None, "3"),
        ValueDifference("required", '["url"]', None),
    )
    assert found.output_schema == (ValueDifference("type", None, '"object"'),)
    assert (found.manifest, found.files) == ((), ())


def test_files_are_added_removed_and_changed() -> None:
    before = bundle(files={"a.txt": b"a", "b.txt": b"b"})
    after = bundle(files={"b.txt": b"bb", "c.txt": b""})
    files = bundle_difference(before, after).files
    assert [(each.file, each.change, each.before_bytes, each.after_bytes) for each in files] == [
        ("a.txt", "removed", 1, None),
        ("b.txt", "changed", 1, 2),
        ("c.txt", "added", None, 0),
    ]


def test_long_values_are_cut() -> None:
    (change,) = bundle_difference(bundle(), bundle(f"description = '{'x' * 900}'\n")).manifest
    assert change.after is not None
    assert len(change.after) == MAX_SHOWN


def told(
    before: dict[str, bytes], after: dict[str, bytes]
) -> list[tuple[str, str, int | None, str | None, str | None]]:
    return [
        (each.file, each.change, each.line, each.before, each.after)
        for each in file_differences(write_archive(before), write_archive(after))
    ]


def test_the_first_line_that_differs_is_named() -> None:
    before = {"a.py": b"one\ntwo\nthree\n", "b.py": b"", "d.bin": b"\xff"}
    after = {"a.py": b"one\n2\nthree\n", "c.py": b"", "d.bin": b"\xfe"}
    assert told(before, after) == [
        ("a.py", "changed", 2, "two\n", "2\n"),
        ("b.py", "removed", None, None, None),
        ("c.py", "added", None, None, None),
        ("d.bin", "changed", None, None, None),
    ]


@pytest.mark.parametrize(
    ("before", "after", "line", "old", "new"),
    [
        (b"a\n", b"a\r\n", 1, "a\n", "a\r\n"),
        (b"a\n", b"a", 1, "a\n", "a"),
        (b"a\nb\n", b"a\n", 2, "b\n", None),
        (b"", b"x", 1, None, "x"),
    ],
)
def test_line_ends_and_missing_lines_count(
    before: bytes, after: bytes, line: int, old: str | None, new: str | None
) -> None:
    assert told({"a": before}, {"a": after}) == [("a", "changed", line, old, new)]


def test_a_long_line_is_cut() -> None:
    (found,) = file_differences(write_archive({"a": b"x" * 1000}), write_archive({"a": b""}))
    assert found.before == "x" * (MAX_SHOWN - 1) + "…"


def test_what_is_no_bundle_is_refused() -> None:
    with pytest.raises(BundleMalformed):
        file_differences(b"PK", write_archive({}))
