"""Whether the browsers of profiles are logged in, as reported to the whole fleet."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from pageworker_supervisor.contract.profile_login import LoginEvent, ProfileLogin
from pageworker_supervisor.queue.functions import Shards, unpacked


class LoginRecord(Struct, frozen=True, kw_only=True):
    """What is known of one profile. Times in seconds since the epoch; 0: never."""

    state: ProfileLogin = ProfileLogin.UNKNOWN
    since: float = 0.0
    """When the state changed last."""
    reported_at: float = 0.0
    """When it was reported last, with a change or without."""
    module: str = ""
    """That brought the state."""
    job_id: str = ""
    """During which it did."""
    url: str = ""
    """Where its page was."""
    evidence: dict[str, str] = {}


class LoginChange(Struct, frozen=True):
    """The state before a report, and after it."""

    before: ProfileLogin
    after: ProfileLogin


class ProfileLogins:
    """The record of a profile is on the shard of its tenant. All calls raise RedisClientError."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def report(
        self,
        tenant_id: str,
        profile_id: str,
        event: LoginEvent,
        *,
        module: str = "",
        job_id: str = "",
        url: str = "",
        evidence: Mapping[str, str] | None = None,
    ) -> LoginChange:
        """Record what was found. A change is published as event `profile_state`."""
        before, after = await self._shards.call(
            self._shards.of(tenant_id),
            "report_profile_login",
            tenant=tenant_id,
            profile=profile_id,
            event=event.value,
            module=module,
            job=job_id,
            url=url,
            evidence=dict(evidence or {}),
        )
        return LoginChange(ProfileLogin(before.decode()), ProfileLogin(after.decode()))

    async def read(self, tenant_id: str, profile_ids: Sequence[str]) -> list[LoginRecord]:
        """What is known of each of these profiles, in their order."""
        if not profile_ids:
            return []
        reply = await self._shards.call(
            self._shards.of(tenant_id), "read_profile_logins", tenant=tenant_id, profiles=list(profile_ids)
        )
        return [_record(fields) for fields in unpacked(reply)]


def _record(fields: Mapping[str, str]) -> LoginRecord:
    if not fields["state"]:
        return LoginRecord()
    return LoginRecord(
        state=ProfileLogin(fields["state"]),
        since=int(fields["since"]) / 1000,
        reported_at=int(fields["reported_at"]) / 1000,
        module=fields["module"],
        job_id=fields["job"],
        url=fields["url"],
        evidence=msgspec.json.decode(fields["evidence"] or "{}", type=dict[str, str]),
    )
