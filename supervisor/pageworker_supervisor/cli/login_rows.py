"""What `workerctl profile` prints of the login of a profile. Pure."""

from typing import Literal

from msgspec import Struct

from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.contract.utc_time import utc_text
from pageworker_supervisor.queue.profile_logins import LoginRecord

LoginWord = Literal["unknown", "authenticated", "needs_login", "needs_human"]


class LoginAnswer(Struct, frozen=True, kw_only=True):
    """Whether the browser of a profile is logged in. `since`: when the state changed; `reported_at`: when it was
    reported last; RFC 3339, null: never. `module`, `job_id`, `url` and `evidence`: of the report that brought the
    state."""

    state: LoginWord
    since: str | None
    reported_at: str | None
    module: str | None
    job_id: str | None
    url: str | None
    evidence: dict[str, str] = {}


def login_answer(record: LoginRecord) -> LoginAnswer:
    """As a script sees it."""
    return LoginAnswer(
        state=record.state.value,
        since=_rfc3339(record.since),
        reported_at=_rfc3339(record.reported_at),
        module=record.module or None,
        job_id=record.job_id or None,
        url=record.url or None,
        evidence=record.evidence,
    )


def login_text(login: LoginAnswer) -> str:
    """One line, as a person reads it."""
    if login.state == "unknown":
        return "Login: unknown, no module has reported it."
    where = f" at {login.url}" if login.url else ""
    evidence = "".join(f", {name}: {value}" for name, value in login.evidence.items())
    by = f"{login.module or '-'} in job {login.job_id or '-'}"
    return printable(f"Login: {login.state} since {login.since}, found by {by}{where}{evidence}.")


def _rfc3339(seconds: float) -> str | None:
    return utc_text(seconds, "%Y-%m-%dT%H:%M:%SZ") if seconds else None
