"""Results on their way to callback receivers, and the events that tenants can listen to."""

from pageworker_supervisor.contract.callback_url import allowed

__all__ = ["allowed"]
