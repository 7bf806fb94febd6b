"""What jobs must have in common to share one runner, and with it one browser context.

In Redis a context is a text within its tenant: `~<values>` (ephemeral), `!<values>` (one job that runs alone) or
`<profile>~<values>`. The values are `<egress>`, and `+o<options>` where the browser context has options,
`+f<flavor>` where its modules ask for one flavor of the browser, `+p<policy>` where its jobs have a proxy policy,
`+1` where its runner has one page, and what isolates its jobs from others of their tenant: `+g<group>`, `+m<module>`,
and `+j` where its runner runs one job.
`ContextKey` is the only type that writes and reads the text in Python, `Context.parse` in
`queue/lua/browser_context.lua` the only function that reads it in Lua. There the values are one text, but for the
policy, `+1` and `+j`, which limit the pages of a runner. A feature that tells contexts apart by one more value adds it
to `ContextKey`, and no key in Redis changes.
"""

import hashlib
from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from pageworker_sandbox.flavor import WISHES, FlavorWish
from pageworker_supervisor.contract.isolation import TENANT_ISOLATION, Isolation

SHARED, EXCLUSIVE = "~", "!"
VALUE, OPTIONS, FLAVOR, PROXY, ONE_PAGE = "+", "o", "f", "p", "1"
GROUP, MODULE, ONE_JOB = "g", "m", "j"
"""A value after the first one: this sign, a letter that says which value it is, and the value."""


def egress_set(hosts: Iterable[str]) -> tuple[str, ...]:
    """Host globs as the egress gateway compares them, in one order: equal sets are equal tuples."""
    return tuple(sorted({host.lower().removesuffix(".") for host in hosts}))


def egress_digest(hosts: Iterable[str]) -> str:
    """The name of a set of host globs: 12 hex digits. It finds sets; `egress_set` decides whether two are equal."""
    return hashlib.blake2b("\n".join(egress_set(hosts)).encode(), digest_size=6).hexdigest()


ANY_PROFILE = "*"
"""In a claim's refused contexts: all profiles of the tenant that the worker does not hold. No profile has this name."""
NO_EGRESS = egress_digest(())
"""Of jobs whose module may reach no host, or is not known."""


class ContextKey(Struct, frozen=True):
    """Jobs with equal keys may share a runner; jobs with different keys never do.

    `profile_id` None: the tenant's ephemeral context. `egress` is the digest of the hosts that the job's module may
    reach: a runner is no boundary between its modules, so all of them must have the same set. `options` is the digest
    of the options with which the browser context is opened (`options_digest`), "" for none. `flavor` is the flavor of
    the browser that the module asks for. "auto" is no flavor: each worker has one for such contexts. `proxy` is the
    name of the job's proxy policy, "" for none. `one_page`: the runner has one page, whatever the settings say, because
    its jobs have egress budgets. `isolation`: from which other jobs of the tenant its jobs are separate.
    """

    tenant_id: str
    profile_id: str | None = None
    egress: str = NO_EGRESS
    options: str = ""
    flavor: FlavorWish = "auto"
    proxy: str = ""
    one_page: bool = False
    isolation: Isolation = TENANT_ISOLATION

    @property
    def has_one_page(self) -> bool:
        """Whether its runner has one page, whatever the settings say."""
        return self.one_page or self.isolation.one_job

    @property
    def profile(self) -> tuple[str, str] | None:
        """`(tenant_id, profile_id)`, which one runner at a time may have open; None for an ephemeral context."""
        return None if self.profile_id is None else (self.tenant_id, self.profile_id)

    @property
    def text(self) -> str:
        """The form in Redis, within the tenant."""
        return f"{self.profile_id or ''}{SHARED}{self.values}"

    @property
    def values(self) -> str:
        """The part of the text that does not name the profile."""
        options = f"{VALUE}{OPTIONS}{self.options}" if self.options else ""
        flavor = f"{VALUE}{FLAVOR}{self.flavor}" if self.flavor != "auto" else ""
        proxy = f"{VALUE}{PROXY}{self.proxy}" if self.proxy else ""
        one_page = f"{VALUE}{ONE_PAGE}" if self.one_page else ""
        isolation = self.isolation
        group = f"{VALUE}{GROUP}{isolation.group}" if isolation.group else ""
        module = f"{VALUE}{MODULE}{isolation.module}" if isolation.module else ""
        one_job = f"{VALUE}{ONE_JOB}" if isolation.one_job else ""
        return self.egress + options + flavor + proxy + one_page + group + module + one_job

    @classmethod
    def parse(cls, tenant_id: str, text: str) -> "ContextKey":
        """The key of a text from Redis. That a job runs alone is no part of it: a lease tells it."""
        return _parsed(tenant_id, text)


@lru_cache(4096)
def _parsed(tenant_id: str, text: str) -> ContextKey:
    mark = EXCLUSIVE if text.startswith(EXCLUSIVE) else SHARED
    profile, _, values = text.partition(mark)
    egress, *others = values.split(VALUE)
    by_letter = {value[:1]: value[1:] for value in others}
    flavor = next((wish for wish in WISHES if wish == by_letter.get(FLAVOR)), WISHES[0])
    options, proxy = by_letter.get(OPTIONS, ""), by_letter.get(PROXY, "")
    isolation = Isolation(by_letter.get(GROUP, ""), by_letter.get(MODULE, ""), ONE_JOB in by_letter)
    return ContextKey(tenant_id, profile or None, egress, options, flavor, proxy, ONE_PAGE in by_letter, isolation)
