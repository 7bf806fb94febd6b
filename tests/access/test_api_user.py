"""The rules of the API's Redis user. What they permit on a Redis: tests/api/test_redis_user.py."""

from pageworker_supervisor.access.api_user import CLOSED, PAGE_READ, READ, WRITTEN, api_rules, function_rules
from pageworker_supervisor.queue.library import SHARD_KEYS, library


def test_each_key_is_decided_once() -> None:
    assert SHARD_KEYS.keys() == WRITTEN | READ | PAGE_READ | CLOSED
    assert len(WRITTEN) + len(READ) + len(PAGE_READ) + len(CLOSED) == len(SHARD_KEYS)


def test_each_version_has_functions_of_its_own() -> None:
    one, other = (function_rules(library("pw", cluster=cluster)) for cluster in (False, True))
    assert set(one) & set(other) == {"+fcall|pageworker_none"}
    rules = api_rules("pw", library("pw", cluster=False))
    assert rules[-len(one) :] == one
    assert "+fcall" not in rules
    assert "+function|load" not in rules
