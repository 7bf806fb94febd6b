"""Names of profiles on the command line."""

import pytest

from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.cli.profile_name import profile_named


def test_tenant_and_profile() -> None:
    assert profile_named("acme/Berlin.1") == ("acme", "Berlin.1")
    assert str(profile_named("acme/main")) == "acme/main"


@pytest.mark.parametrize("text", ["main", "Acme/main", "acme/", "acme/a/b", "acme/a b", "/main", "acme/main\n"])
def test_any_other_text_is_wrong_usage_with_an_example(text: str) -> None:
    with pytest.raises(CommandError, match="names no profile") as caught:
        profile_named(text)
    assert caught.value.exit_code == CommandExit.USAGE
    assert "acme/main" in caught.value.mend
