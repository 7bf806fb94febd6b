"""Modules of a worker: resolved by a signed index, verified, and checked against tenant and payload."""

from pageworker_supervisor.registry.registry import Registry, RegistryStatus
from pageworker_supervisor.registry.resolve import Changes, Move, Release
from pageworker_supervisor.registry.trust import load_trust

__all__ = ["Changes", "Move", "Registry", "RegistryStatus", "Release", "load_trust"]
