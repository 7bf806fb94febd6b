"""Errors of modules: each has a type for the result, and says how to fix it."""

from collections.abc import Iterator

import pytest

import pageworker_supervisor.registry.errors  # noqa: F401 - its classes count too
from pageworker_sandbox.signing.errors import ManifestInvalid, Mistake, ModuleError, UntrustedKey


def below(type_: type[ModuleError]) -> Iterator[type[ModuleError]]:
    for each in type_.__subclasses__():
        yield each
        yield from below(each)


CONCRETE = [type_ for type_ in below(ModuleError) if not type_.__subclasses__()]


@pytest.mark.parametrize("type_", CONCRETE, ids=lambda type_: type_.__name__)
def test_every_error_has_a_type_and_a_way_to_fix_it(type_: type[ModuleError]) -> None:
    assert type_.type.startswith(("module_", "tenant_", "registry_", "payload_", "result_"))
    assert type_.type != ModuleError.type
    assert type_.mend


def test_only_an_error_that_passes_is_worth_another_try() -> None:
    passing = {type_.type for type_ in CONCRETE if type_.retryable}
    assert passing == {"registry_away", "registry_clock_set_back", "module_broken"}, "another version goes on"


def test_a_message_can_bring_its_own_way_to_fix_it() -> None:
    assert UntrustedKey("m").mend == UntrustedKey.mend
    assert (UntrustedKey("m", "do this").mend, str(UntrustedKey("m", "do this"))) == ("do this", "m")


def test_a_mistake_says_where_what_and_how_to_fix_it() -> None:
    assert str(Mistake("module.toml", "name", "'X'", "a name", "lower case")) == (
        "module.toml: `name`: found 'X', expected a name (lower case)"
    )
    assert str(Mistake("a.py", "", "x", "y")) == "a.py: found x, expected y"


def test_an_invalid_manifest_lists_every_mistake() -> None:
    one, two = Mistake("f", "a", "x", "y"), Mistake("f", "b", "x", "y")
    assert str(ManifestInvalid((one, two))) == f"{one}; {two}"
