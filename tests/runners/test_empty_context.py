"""Only an ephemeral context that is proved empty is used."""

import pytest

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.empty_context import EMPTY, check_empty
from pageworker_supervisor.runners.errors import SpawnFailed


def test_an_empty_context_and_a_profile_are_used() -> None:
    check_empty(ContextKey("acme"), {**EMPTY, "seccomp": "2"})
    check_empty(ContextKey("acme", "p1"), {})


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("value", ["1", "", None])
def test_anything_left_or_unknown_is_refused(name: str, value: str | None) -> None:
    evidence = {key: text for key, text in {**EMPTY, name: value}.items() if text is not None}
    with pytest.raises(SpawnFailed, match=f"is not empty: .*{name} {value or ''}" if value else "is not empty"):
        check_empty(ContextKey("acme"), evidence)
