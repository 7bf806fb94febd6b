"""Errors of a registry carry every mistake."""

from pageworker_sandbox.signing import Mistake
from pageworker_supervisor.registry.errors import (
    NotThere,
    PackRefused,
    RegistryAway,
    RegistryRefused,
)


def test_a_folder_that_cannot_be_packed_lists_its_mistakes() -> None:
    mistake = Mistake("module.toml", "name", "nothing", "a name")
    assert PackRefused((mistake, mistake)).mistakes == (mistake, mistake)
    assert str(PackRefused((mistake,))) == str(mistake)


def test_a_missing_file_is_a_registry_that_may_have_it_later() -> None:
    assert isinstance(NotThere("x"), RegistryAway)
    assert NotThere("x").retryable


def test_a_refusal_says_what_to_do_instead() -> None:
    assert RegistryRefused("no", "do this").mend == "do this"
    assert RegistryRefused("no").mend == ""
