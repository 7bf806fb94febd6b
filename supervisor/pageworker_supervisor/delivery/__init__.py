"""Delivers results to callback receivers."""

from pageworker_supervisor.contract.callback_url import allowed

__all__ = ["allowed"]
