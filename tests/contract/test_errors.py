"""Why a job is rejected, in one line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pageworker_supervisor.contract.errors import ContractError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ContractError("invalid_field", "priority", "expected x"), "`priority`: expected x"),
        (ContractError("invalid_field", "priority", "expected x", "write y"), "`priority`: expected x; write y"),
        (ContractError("invalid_json", "", "not a JSON object"), "not a JSON object"),
    ],
)
def test_field_rule_and_hint(error: ContractError, text: str) -> None:
    assert str(error) == text


def test_foreign_names_add_no_lines() -> None:
    assert str(ContractError("unknown_field", "a\n\x1b[2J", "is not a field of a job")) == (
        "`a\\n\\x1b[2J`: is not a field of a job"
    )


async def test_it_can_leave_an_async_context_manager() -> None:
    @asynccontextmanager
    async def opened() -> AsyncIterator[None]:
        yield

    with pytest.raises(ContractError, match="expected x"):
        async with opened():
            raise ContractError("invalid_field", "priority", "expected x")
