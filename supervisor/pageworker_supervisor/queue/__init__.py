"""The queue: a scheduler in Redis Functions, and the client of it."""

from pageworker_supervisor.queue.client import QueueClient

__all__ = ["QueueClient"]
