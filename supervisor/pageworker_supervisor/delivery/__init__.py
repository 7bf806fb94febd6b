"""Results on their way to callback receivers, and the events that tenants can listen to."""

from pageworker_supervisor.delivery.allow import allowed

__all__ = ["allowed"]
