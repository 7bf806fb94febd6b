"""Tokens, scopes, and which tenant a request is for."""

import pytest
from api.conftest import TOKENS

from pageworker_supervisor.api.grant import ANY, READ, WRITE, bearer_token, job_of, require_scope, tenant_of
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.contract.job import JobRef

ACME, FLEET = TOKENS["pw_a1_secret"], TOKENS["pw_f1_secret"]


@pytest.mark.parametrize("header", ["Bearer pw_a1_secret", "bearer  pw_a1_secret", "BEARER pw_a1_secret "])
def test_the_token_of_a_header(header: str) -> None:
    assert bearer_token(header) == "pw_a1_secret"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "token_missing"),
        ("", "token_missing"),
        ("Basic YTpi", "token_missing"),
        ("Bearer", "token_invalid"),
        ("Bearer secret", "token_invalid"),
        ("Bearer pw_a1_", "token_invalid"),
        ("Bearer pw_a1_s\u00e9cret", "token_invalid"),
        (f"Bearer pw_a1_{'x' * 300}", "token_invalid"),
    ],
)
def test_what_is_no_token(header: str | None, code: str) -> None:
    with pytest.raises(ApiProblem) as refused:
        bearer_token(header)
    assert refused.value.document.code == code
    assert refused.value.document.status == 401
    assert refused.value.headers["WWW-Authenticate"].startswith("Bearer ")


@pytest.mark.parametrize(
    ("token", "scopes", "permitted"),
    [
        ("pw_v1_secret", READ, True),
        ("pw_v1_secret", WRITE, False),
        ("pw_p1_secret", READ, False),
        ("pw_p1_secret", ANY, True),
        ("pw_a1_secret", WRITE, True),
    ],
)
def test_scopes(token: str, scopes: frozenset[str], permitted: bool) -> None:
    if permitted:
        require_scope(TOKENS[token], scopes)
    else:
        with pytest.raises(ApiProblem, match="scope_missing"):
            require_scope(TOKENS[token], scopes)


def test_a_tenant_sees_itself_alone() -> None:
    assert tenant_of(ACME, None) == tenant_of(ACME, "acme") == "acme"
    assert tenant_of(FLEET, "beta") == "beta"
    for grant, name, code in (
        (ACME, "beta", "not_found"),
        (FLEET, None, "invalid_request"),
        (FLEET, "A/b", "not_found"),
    ):
        with pytest.raises(ApiProblem, match=code) as refused:
            tenant_of(grant, name)
        assert code != "not_found" or refused.value.document.detail == "There is no such tenant"


def test_a_job_is_named_by_tenant_and_path() -> None:
    assert job_of(ACME, "17", None) == JobRef("acme", "17")
    for untrusted_id in ("", "a/b", "x" * 129, "a\n"):
        with pytest.raises(ApiProblem, match="not_found"):
            job_of(ACME, untrusted_id, None)
