"""What a worker's registry asks, over changing settings."""

from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.module_settings import ModuleSettings
from pageworker_supervisor.config.settings import Settings, TenantSettings, WorkerSettings
from pageworker_supervisor.registry.version_choice import WorkerScope
from pageworker_supervisor.rollouts.rollout_entry import RolloutEntry
from pageworker_supervisor.rollouts.worker_rules import WorkerRules

ENTRY = RolloutEntry(withdrawn=("1.0.0",))


def settings(channel: str = "stable", pin: str = "1.4.2") -> Settings:
    return Settings(
        worker=WorkerSettings(id="w1", tags=("canary",)),
        modules=ModuleSettings(channel=channel, tag_channels={"canary": "beta"}),
        tenants={"*": TenantSettings(), "ac*": TenantSettings(pins={"shop.product": pin})},
    )


def test_settings_count_as_they_are_now() -> None:
    live = Live(settings())
    rules = WorkerRules(live, {"shop.product": ENTRY}.get)
    assert rules.scope() == WorkerScope(("beta", "stable"), ("canary",))
    assert rules.tenant_pin("acme", "shop.product") == "1.4.2"
    assert rules.tenant_pin("acme", "shop.other") is None
    assert rules.tenant_pin("bolt", "shop.product") is None
    assert rules.entry("shop.product") is ENTRY
    assert rules.entry("shop.other") is None
    live.replace(settings("main", "1.5.0"))
    assert rules.scope() == WorkerScope(("beta", "main", "stable"), ("canary",))
    assert rules.tenant_pin("acme", "shop.product") == "1.5.0"
