"""The egress policy of one runner that is up: its tenant's hosts, and the upstream proxies of the attempt that runs."""

import asyncio
from collections.abc import Callable

from pageworker_sandbox.egress.errors import EgressError
from pageworker_supervisor.config.egress_budget import EgressBudget
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.errors import RunnerLost, SpawnFailed
from pageworker_supervisor.runners.resources import RunnerResources
from pageworker_supervisor.runners.runner_turn import NO_TURN


class RunnerRoute:
    """Of one runner. `context` tells whose it is now: a spare is adopted by one."""

    def __init__(self, runner_id: str, resources: RunnerResources, context: Callable[[], ContextKey]) -> None:
        self._runner_id = runner_id
        self._resources = resources
        self._context = context
        self._turn = NO_TURN
        self._changing = asyncio.Lock()

    async def take_turn(self, attempt: str, budget: EgressBudget) -> None:
        """Go out by the upstreams of this attempt, if each attempt has others, within `budget`. Raises RunnerLost."""
        self._turn = self._turn.next(attempt, budget)
        await self.renew()

    async def renew(self) -> None:
        """Have the gateway use the policy, the upstreams and the login that count now. Raises RunnerLost."""
        async with self._changing:
            try:
                policy = self._resources.policy(self._context(), self._turn)
                await self._resources.gateway.update(self._runner_id, policy)
            except (SpawnFailed, EgressError) as error:
                raise RunnerLost(f"its egress policy is not in force: {error}", charged=False) from error

    async def upstream(self) -> str:
        """The upstream proxy that it used last; "" if that is not known."""
        return await self._resources.gateway.upstream(self._runner_id)
