"""The rules of a tenant's Redis user. What they permit on a Redis: tests/tenants/test_origin.py."""

from pageworker_supervisor.access.redis_rules import redis_rules


def test_every_key_and_channel_is_the_tenants() -> None:
    rules = redis_rules("pw", "acme")
    patterns = [rule for rule in rules if rule[0] in "%~&"]
    assert patterns == [
        "%W~pw:inbox:acme",
        "%R~pw:result:acme:*",
        "&pw:results:acme",
        "&pw:events:acme",
    ]
    assert rules.index("resetkeys") < rules.index(patterns[0])
    assert rules.index("resetchannels") < rules.index("&pw:results:acme")
    assert rules.index("-@all") < min(rules.index(rule) for rule in rules if rule.startswith("+"))


def test_the_stream_has_a_selector_of_its_own() -> None:
    assert [rule for rule in redis_rules("pw", "acme") if rule[0] == "("] == ["(%W~pw:jobs:acme -@all +xadd)"]


def test_no_command_deletes_or_runs_code() -> None:
    granted = {rule[1:] for rule in redis_rules("pw", "acme") if rule.startswith("+")}
    assert granted == {
        *("ping", "select", "get", "lpush", "rpush"),
        *("subscribe", "unsubscribe", "psubscribe", "punsubscribe"),
    }
