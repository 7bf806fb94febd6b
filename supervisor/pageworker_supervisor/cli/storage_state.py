"""Reads the storage state of a browser context, JSON as Playwright writes it, before it becomes a profile's checkpoint.
Pure.

Source: https://playwright.dev/python/docs/api/class-browsercontext#browser-context-storage-state
"""

from typing import Any

import msgspec
from msgspec import Struct

from pageworker_sandbox.wire.messages import MAX_CHECKPOINT_BYTES
from pageworker_supervisor.cli.output import CommandError


class StateCookie(Struct):
    """What a cookie must have. It may have more."""

    name: str
    value: str
    domain: str
    path: str


class StateOrigin(Struct):
    """The storage of one site."""

    origin: str
    localStorage: list[Any] = []  # noqa: N815 - Playwright's name


class StorageStateFacts(Struct):
    """The parts that are checked."""

    cookies: list[StateCookie]
    origins: list[StateOrigin] = []


def parse_storage_state(untrusted_data: bytes, name: str) -> tuple[bytes, StorageStateFacts]:
    """The state as compact JSON, and what it holds. `name`: of the file, for errors. Raises CommandError."""
    try:
        facts = msgspec.json.decode(untrusted_data, type=StorageStateFacts)
    except msgspec.DecodeError as error:
        raise CommandError(
            f"{name} is no storage state of Playwright: {error}",
            'Write it with `await context.storage_state(path="state.json", indexed_db=True)`.',
        ) from error
    if not facts.cookies and not facts.origins:
        raise CommandError(f"{name} holds neither cookies nor storage", "Log in before you write it.")
    # The runner expects both lists.
    known = {"origins": [], **msgspec.json.decode(untrusted_data)}
    data = msgspec.json.encode(known)
    if len(data) > MAX_CHECKPOINT_BYTES:
        raise CommandError(
            f"{name} holds {len(data)} bytes, and at most {MAX_CHECKPOINT_BYTES} are taken",
            "Leave out IndexedDB, or the storage of sites that the profile does not need.",
        )
    return data, facts
