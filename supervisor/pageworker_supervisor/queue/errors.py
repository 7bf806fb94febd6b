"""What a call of the queue can answer beside the errors of the Redis client."""

from pageworker_supervisor.redis_client.errors import RedisClientError, RedisUnavailable


class Unsettled(RedisUnavailable):
    """Stored on the primary, but not yet on as many replicas as were asked for."""


class CancelHolds(RedisClientError):
    """Nothing was stored: a cancellation of this job was acknowledged before. Finish it as `cancelled`."""
