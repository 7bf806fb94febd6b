"""A derived bundle has the files of its origin, another manifest, and versions that rise with the runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pw_modules.author import packed

from pageworker_author.derived_bundle import derive, numbered_version
from pageworker_sandbox.signing.archive import read_archive
from pageworker_sandbox.signing.manifest import FILE
from pageworker_sandbox.signing.version import precedence

MORE = """\
egress = ["shop.example"]
[page]
viewport = { width = 390, height = 844 }
[input]
type = "object"
anyOf = [{ required = ["url"] }, { required = ["sku"], properties = { sku = { enum = ["a", 1, true] } } }]
"""


@given(st.integers(1, 10_000))
@pytest.mark.parametrize("version", ["0.1.0", "1.0.0-rc.1", "1.4.2+build.5"])
def test_versions_of_runs_rise_and_stay_below_the_release(version: str, number: int) -> None:
    before, after = (precedence(numbered_version(version, each)) for each in (number, number + 1))
    assert before < after
    if "-" not in version:
        assert after < precedence(version)


def test_only_the_named_keys_change() -> None:
    origin = packed(more=MORE)
    derived = derive(origin, {"version": "1.4.2-dev.1", "egress": []})
    assert (derived.name, derived.version, derived.manifest.egress) == (origin.name, "1.4.2-dev.1", ())
    assert derived.manifest.page == origin.manifest.page
    assert derived.manifest.input == origin.manifest.input
    assert derived.input_schema == origin.input_schema
    before, after = read_archive(origin.data), read_archive(derived.data)
    assert {name for name in before if before[name] != after[name]} == {FILE}


def test_files_are_added() -> None:
    derived = derive(packed(), {}, {"beside/note.txt": b"x"})
    assert read_archive(derived.data)["beside/note.txt"] == b"x"
