"""The real gateway program without some of its rules. It runs in the gateway's sandbox instead of the gateway."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from pageworker_sandbox.dialer import client
from pageworker_sandbox.egress import __main__ as program
from pageworker_sandbox.egress import address, origin_connector, policy, runner_proxy
from pageworker_sandbox.egress import tunnel as tunnels
from pageworker_sandbox.egress.policy import Route
from pageworker_sandbox.egress.target import Target

# Any: a class that is a variable here cannot be a base for mypy.
Real: Any = policy.CompiledPolicy
# Any: names are replaced in it.
origins: Any = origin_connector


class Everything:
    """A set that contains everything."""

    def __contains__(self, item: object) -> bool:
        return True


def weaken(without: set[str]) -> None:
    """Leave these rules out."""
    decide, matches, started = Real.decide, Real._matches, Real.__init__

    def start(self: Any, *arguments: Any) -> None:
        started(self, *arguments)
        if "gateway: port" in without:
            self._ports = Everything()
        if "gateway: proxy policy" in without:
            self._given = (*self._given, None)

    def decided(self: Any, target: Target) -> Any:
        if "gateway: literal address" in without and target.host.endswith("localhost"):
            return (Route(target, None, None),)
        return decide(self, target)

    async def resolve(self: Any, name: str) -> Any:
        found = await resolved(self, name)
        return replace(found, local=False) if "gateway: own address" in without else found

    async def dial(self: Any, route: Route) -> Any:
        await self._public_addresses(route.target)
        self._resolved.clear()
        again = await self._addresses(replace(route.target, host=route.target.host + "."))
        return (await self._connect_any(again.addresses, route.target.port))[1]

    async def relay(enforcer: Any, stream: Any, reports: Any) -> None:
        failover = enforcer.admit(Target("shop.test", 80))
        origin = await enforcer.connect(failover, next(iter(failover)), tunnel=True)
        limits = replace(enforcer.limits, silence_seconds=5.0, linger_seconds=1.0)
        await tunnels.tunnel(stream, origin, limits, enforcer.splices)

    checked = origins.check if "gateway: resolved address" not in without else lambda addresses: None
    resolved = client.RemoteConnector.resolve
    changes: list[tuple[Any, str, Any, bool]] = [
        (Real, "__init__", start, True),
        (Real, "decide", decided, True),
        (Real, "_matches", matches if "gateway: host" not in without else lambda self, host: True, True),
        (client.RemoteConnector, "resolve", resolve, True),
        (policy, "is_public", lambda found: True, "gateway: literal address" in without),
        (origins, "check", checked, True),
        (origins.OriginConnector, "_connect_route", dial, "gateway: the address that was checked" in without),
        (runner_proxy, "serve", relay, "gateway: parsing" in without),
    ]
    for owner, name, value, wanted in changes:
        if wanted:
            setattr(owner, name, value)
    if "gateway: literal address" in without and "gateway: resolved address" not in without:
        # Both rules use is_public. Only the rule for literal addresses is to be left out.
        every = address.is_public
        origins.check = lambda found: None if all(map(every, found)) else "private_address"


if __name__ == "__main__":
    weaken(set(json.loads(Path(__file__).with_name("pw_without.json").read_text())))
    sys.exit(program.main())
