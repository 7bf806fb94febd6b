"""What a token permits, and which tenant a request is for. Pure."""

import re
from typing import Protocol

from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.contract.job import JOB_ID, TENANT_ID, JobRef

READ = frozenset({"viewer", "producer"})
WRITE = frozenset({"producer"})
ANY = frozenset({"viewer", "producer", "operator", "publisher"})
TOKEN = re.compile(r"pw_[A-Za-z0-9]{1,64}_[A-Za-z0-9_-]{1,256}")
"""`pw_<token_id>_<secret>`. Another text is no token, and is not looked up."""


class ApiGrant(Protocol):
    """What a token permits. `tenant_id` None: the fleet operator's, for all tenants."""

    @property
    def tenant_id(self) -> str | None:
        """The tenant of the token."""

    @property
    def scopes(self) -> frozenset[str]:
        """`viewer`, `producer`, `operator`, `publisher`."""

    @property
    def token_id(self) -> str:
        """The public part of the token."""

    @property
    def expires_at(self) -> float | None:
        """Unix seconds; None: never."""


class GrantReader(Protocol):
    """Looks tokens up."""

    async def grant(self, untrusted_token: str) -> ApiGrant | None:
        """None: there is no such token, it has expired or is revoked. Raises RedisClientError."""


def bearer_token(untrusted_header: str | None) -> str:
    """The token of the header `Authorization`. Raises ApiProblem."""
    scheme, _, token = (untrusted_header or "").partition(" ")
    challenge = {"WWW-Authenticate": 'Bearer realm="pageworker"'}
    if not untrusted_header or scheme.lower() != "bearer":
        detail = "Send the header `Authorization: Bearer pw_…`"
        raise ApiProblem("token_missing", detail, headers=challenge)
    if not TOKEN.fullmatch(token.strip()):
        raise invalid_token()
    return token.strip()


def invalid_token() -> ApiProblem:
    """The problem of a token that is not known. It does not tell why."""
    challenge = {"WWW-Authenticate": 'Bearer realm="pageworker", error="invalid_token"'}
    return ApiProblem("token_invalid", "The token is unknown, expired or revoked", headers=challenge)


def require_scope(grant: ApiGrant, scopes: frozenset[str]) -> None:
    """Raises ApiProblem unless the token has one of the scopes."""
    if not grant.scopes & scopes:
        raise ApiProblem("scope_missing", f"This needs one of the scopes {', '.join(sorted(scopes))}")


def tenant_of(grant: ApiGrant, untrusted_name: str | None) -> str:
    """The tenant that a request reads. `untrusted_name`: of its query. Raises ApiProblem.

    To a token, other tenants do not exist.
    """
    if grant.tenant_id is not None:
        if untrusted_name is not None and untrusted_name != grant.tenant_id:
            raise _no_tenant()
        return grant.tenant_id
    if untrusted_name is None:
        raise ApiProblem(
            "invalid_request",
            "This token is for all tenants: name one in the query",
            field="tenant_id",
            hint="?tenant_id=acme",
        )
    if not re.match(TENANT_ID, untrusted_name):
        raise _no_tenant()
    return untrusted_name


def job_of(grant: ApiGrant, untrusted_job_id: str, untrusted_tenant: str | None) -> JobRef:
    """The job that a path names. Raises ApiProblem."""
    tenant_id = tenant_of(grant, untrusted_tenant)
    if not re.match(JOB_ID, untrusted_job_id):
        raise nothing_there()
    return JobRef(tenant_id, untrusted_job_id)


def tenant_seen(grant_tenant: str | None, untrusted_name: str) -> str | None:
    """The tenant that a list is for. None: all of them. "" names none. Raises ApiProblem, as `tenant_of`."""
    if grant_tenant is not None:
        if untrusted_name not in ("", grant_tenant):
            raise _no_tenant()
        return grant_tenant
    if untrusted_name and not re.match(TENANT_ID, untrusted_name):
        raise _no_tenant()
    return untrusted_name or None


def nothing_there() -> ApiProblem:
    """The problem of a job that is unknown, or belongs to another tenant."""
    return ApiProblem("not_found", "There is no such job")


def _no_tenant() -> ApiProblem:
    """The problem of another tenant than that of the token, whether it exists or not."""
    return ApiProblem("not_found", "There is no such tenant")
