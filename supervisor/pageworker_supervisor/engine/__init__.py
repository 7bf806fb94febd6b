"""The queue: a scheduler in Redis Functions, and the client of it."""

from pageworker_supervisor.engine.engine import Engine

__all__ = ["Engine"]
