"""What a call of the queue can answer beside the errors of the Redis client."""

from pageworker_supervisor.redis_client.errors import RedisClientError


class CancelHolds(RedisClientError):
    """Nothing was stored: a cancellation of this job was acknowledged before. Finish it as `cancelled`."""
