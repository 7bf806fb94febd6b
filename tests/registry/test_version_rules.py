"""The rules of a registry without Redis."""

from pageworker_supervisor.registry.version_choice import WorkerScope
from pageworker_supervisor.registry.version_rules import FixedChannel


def test_a_fixed_channel_has_neither_pins_nor_entries() -> None:
    rules = FixedChannel("canary")
    assert rules.scope() == WorkerScope(("canary", "stable"))
    assert FixedChannel("stable").scope() == WorkerScope()
    rules.tenant_pin("acme", "shop.product")
    rules.entry("shop.product")
