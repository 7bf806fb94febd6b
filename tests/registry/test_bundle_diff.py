"""What differs between two bundles."""

from typing import Any

from pw_modules.author import CODE, SCHEMA, manifest

from pageworker_sandbox.signing import PackedBundle, read_bundle
from pageworker_sandbox.signing.bundle import write_bundle
from pageworker_supervisor.registry.bundle_diff import MAX_SHOWN, FileChange, ValueChange, bundle_diff


def bundle(
    more: str = "", files: dict[str, bytes] | None = None, schema: dict[str, Any] = SCHEMA, **rest: Any
) -> PackedBundle:
    return read_bundle(write_bundle(manifest(more=more), schema, {"shop_product.py": CODE, **(files or {})}, **rest))


def test_equal_bundles_do_not_differ() -> None:
    found = bundle_diff(bundle(), bundle(more="# a comment\n"))
    assert found.same
    assert (found.before, found.after) == ("shop.product@1.4.2", "shop.product@1.4.2")


def test_keys_of_the_manifest_are_told_one_by_one() -> None:
    before = bundle("timeout_seconds = 5\n[page]\nlocale = 'de-DE'\n")
    after = bundle("tenants = ['acme']\ntimeout_seconds = 6\n[page]\ntimezone_id = 'Europe/Berlin'\n")
    assert bundle_diff(before, after).manifest == (
        ValueChange("page.locale", '"de-DE"', None),
        ValueChange("page.timezone_id", None, '"Europe/Berlin"'),
        ValueChange("tenants", '["*"]', '["acme"]'),
        ValueChange("timeout_seconds", "5.0", "6.0"),
    )


def test_schemas_are_compared_as_they_were_packed() -> None:
    wider = {key: value for key, value in SCHEMA.items() if key != "required"} | {"maxProperties": 3}
    found = bundle_diff(bundle(), bundle("[output]\n", schema=wider, output_schema={"type": "object"}))
    assert found.input_schema == (ValueChange("maxProperties", None, "3"), ValueChange("required", '["url"]', None))
    assert found.output_schema == (ValueChange("type", None, '"object"'),)
    assert (found.manifest, found.files) == ((), ())


def test_files_are_added_removed_and_changed() -> None:
    before = bundle(files={"a.txt": b"a", "b.txt": b"b"})
    after = bundle(files={"b.txt": b"bb", "c.txt": b""})
    assert bundle_diff(before, after).files == (
        FileChange("a.txt", "removed", 1, None),
        FileChange("b.txt", "changed", 1, 2),
        FileChange("c.txt", "added", None, 0),
    )


def test_long_values_are_cut() -> None:
    (change,) = bundle_diff(bundle(), bundle(f"description = '{'x' * 900}'\n")).manifest
    assert change.after is not None
    assert len(change.after) == MAX_SHOWN
