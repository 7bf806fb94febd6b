"""The queue as the supervisor uses it: one part for each kind of caller.

`producer` (intake) puts jobs in, `consumer` (dispatch) claims and ends them, `outbox` (delivery) delivers results,
`inspection`, `pauses`, `dead_letters` and `batches` (admin, workerctl) serve operators. `limits` puts the limits of a
configuration in force. `workers`: reports of the fleet's workers, and stored drains. `rollouts`: which versions of
modules jobs get.
"""

from pageworker_supervisor.config.live import Live
from pageworker_supervisor.queue.access_tokens import AccessTokens
from pageworker_supervisor.queue.audit_store import AuditStore
from pageworker_supervisor.queue.batches import Batches
from pageworker_supervisor.queue.config_store import ConfigStore
from pageworker_supervisor.queue.consumer import JobConsumer
from pageworker_supervisor.queue.dead_letters import DeadLetters
from pageworker_supervisor.queue.ended_jobs import EndedJobs
from pageworker_supervisor.queue.fleet_workers import FleetWorkers
from pageworker_supervisor.queue.functions import FunctionCalls, Shards
from pageworker_supervisor.queue.inspection import QueueInspection
from pageworker_supervisor.queue.limits_in_force import LimitsInForce
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.queue.outbox import Outbox
from pageworker_supervisor.queue.pauses import Pauses
from pageworker_supervisor.queue.producer import JobProducer
from pageworker_supervisor.queue.profile_cooling import ProfileCooling
from pageworker_supervisor.queue.profile_locks import ProfileLocks
from pageworker_supervisor.queue.profile_logins import ProfileLogins
from pageworker_supervisor.queue.profile_stores import ProfileStores
from pageworker_supervisor.queue.request_counts import RequestCounts
from pageworker_supervisor.queue.request_rates import RequestRates
from pageworker_supervisor.queue.rollout_store import RolloutStore
from pageworker_supervisor.queue.subscriptions import Subscriptions
from pageworker_supervisor.queue.tenants import Tenants
from pageworker_supervisor.queue.usage import UsageRecords
from pageworker_supervisor.queue.wakeup import WakeupWaiter
from pageworker_supervisor.redis_client.router import Router


class QueueClient:
    """One client of the queue, over the router of a Redis client."""

    def __init__(
        self,
        router: Router,
        *,
        prefix: str = "pw",
        shards: int = 1,
        options: QueueOptions = QueueOptions(),
    ) -> None:
        self.prefix = prefix
        self._options = live = Live(options)
        self._functions = FunctionCalls(router, prefix, options)
        self._shards = Shards(self._functions, prefix, shards)
        self.outbox = Outbox(self._shards, live)
        self.producer = JobProducer(self._shards, live, self.outbox)
        self.consumer = JobConsumer(self._shards, live, WakeupWaiter(router, self._shards), self.outbox)
        self.inspection = QueueInspection(self._shards, live)
        self.ended_jobs = EndedJobs(self._shards)
        self.dead_letters = DeadLetters(self._shards)
        self.batches = Batches(self._shards, live, self.dead_letters, self.outbox)
        self.limits = LimitsInForce(self._shards)
        self.config = ConfigStore(self._shards)
        self.audit = AuditStore(self._shards)
        self.access_tokens = AccessTokens(self._shards)
        self.subscriptions = Subscriptions(self._shards)
        self.pauses = Pauses(self._shards)
        self.tenants = Tenants(self._shards)
        self.usage = UsageRecords(self._shards)
        self.workers = FleetWorkers(self._shards)
        self.request_rates = RequestRates(self._shards)
        self.request_counts = RequestCounts(self._shards)
        self.profile_stores = ProfileStores(self._shards)
        self.profile_logins = ProfileLogins(self._shards)
        self.profile_cooling = ProfileCooling(self._shards)
        self.profile_locks = ProfileLocks(self._shards)
        self.rollouts = RolloutStore(self._shards)

    @property
    def options(self) -> QueueOptions:
        """Those that count now."""
        return self._options.value

    def use(self, options: QueueOptions) -> None:
        """Use these from the next call on. `lease_ms`, `outbox_lease_ms` and `test_clock` stay those of the start."""
        self._options.replace(options)

    @property
    def shards(self) -> int:
        """Number of shards."""
        return len(self._shards)

    async def load(self) -> None:
        """Put the functions on every primary, and check the schema version. Raises RedisClientError, SchemaMismatch.

        Calls load the functions by themselves where they are missing.
        """
        await self._functions.load()
        await self._shards.check_schema()

    def function(self, name: str) -> str:
        """The name under which Redis knows one of the functions."""
        return self._functions.library.function(name)
