"""The central configuration as one layer, and every mistake in it."""

import pytest

from pageworker_supervisor.config.central_document import MOST_SETTINGS, central_layer


def test_settings_by_name_become_a_layer() -> None:
    layer = central_layer({"tenants.acme.weight": 2, 'domains."*.a.test".burst': 3, "egress.ports": [80, 8080]})
    assert layer.problems == ()
    assert layer.tree == {
        "tenants": {"acme": {"weight": 2.0}},
        "domains": {"*.a.test": {"burst": 3}},
        "egress": {"ports": (80, 8080)},
    }
    assert layer.source_of(("tenants", "acme", "weight")) == "central configuration"
    assert layer.source_of(("tenants", "acme", "burst")) is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("modules.trusted_keys", ["RW"], "it is never central"),
        ("tenants.acme.callback_secret_file", "/etc/shadow", "it is never central"),
        ("egress.hosts.a", "10.0.0.1", "it is never central"),
        ("redis.url", "redis://evil", "it is never central"),
        ("pool.runers", 3, "did you mean `pool.runners`?"),
        ("pol.runners", 3, "did you mean `pool`?"),
        ("pool.runners", 0, "1 to 64"),
        ("pool.runners", "4", "a whole number"),
        ("pool.runners.x", 3, "the name of a setting"),
        ("pool", {"runners": 3}, "set each setting by its own name"),
        ("tenants.acme", {"weight": 3}, "set each setting by its own name"),
        ("worker.tags", ["gpu"], "it is never central"),
        ("status_page.thumbnails", True, "not supported yet"),
        ("*.a.test", 3, "into quotes"),
        ("log.level", "loud", "debug, info, warning, error"),
        ('pool."runners"', 5, "pool.runners"),
        (" pool . runners", 5, "pool.runners"),
        ("results.ttl_seconds", 10**17, "at most 10000000000"),
        ("results.stream_length", 10**17, "at most 9007199254740991"),
        ("pool.idle_seconds", float("inf"), "at most 10000000000"),
    ],
)
def test_a_mistake_is_named_and_not_part_of_the_layer(name: str, value: object, words: str) -> None:
    layer = central_layer({name: value, "pool.pages": 3})
    (problem,) = layer.problems
    assert words in problem.render()
    assert "central configuration" in problem.render()
    assert layer.tree == {"pool": {"pages": 3}}


def test_all_mistakes_are_listed() -> None:
    assert len(central_layer({"pool.runners": 0, "pool.pages": 0, "redis.url": "x"}).problems) == 3


def test_it_has_a_bound() -> None:
    many = {f"tenants.t{number}.weight": 1 for number in range(MOST_SETTINGS + 1)}
    assert "at most 5000" in central_layer(many).problems[0].render()


def test_a_number_that_json_cannot_hold_is_a_mistake() -> None:
    (problem,) = central_layer({"pool.runners": 16**5000}).problems
    assert problem.found == "a value that is too large to store"
