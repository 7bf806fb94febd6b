"""What a token permits, as its owner sees it."""

import msgspec
import pytest
from api.conftest import TOKENS
from starlette.requests import Request

from pageworker_supervisor.api.whoami_endpoint import whoami


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (
            "pw_v1_secret",
            {"token_id": "v1", "tenant_id": "acme", "scopes": ["viewer"], "expires_at": "2033-05-18T03:33:20Z"},
        ),
        (
            "pw_f1_secret",
            {
                "token_id": "f1",
                "tenant_id": None,
                "scopes": ["operator", "producer", "publisher", "viewer"],
                "expires_at": None,
            },
        ),
    ],
)
async def test_the_owner_of_a_token_sees_what_it_permits(token: str, expected: dict[str, object]) -> None:
    request = Request({"type": "http", "query_string": b"", "headers": []})
    answer = await whoami(request, TOKENS[token])
    assert msgspec.json.decode(answer.body) == expected
    assert b"secret" not in answer.body
