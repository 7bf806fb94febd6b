"""When a change of each setting takes effect."""

import pytest

from pageworker_supervisor.config.reload import (
    HOT,
    LOCAL,
    RESTART,
    Reload,
    reload_of,
    running,
    settings_without_class,
    waiting,
)
from pageworker_supervisor.config.settings import ArtifactSettings, PoolSettings, Settings, TenantSettings


def test_every_setting_has_a_class() -> None:
    assert list(settings_without_class()) == [], "add the setting to CLASSES in config/reload.py"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pool.runners", HOT),
        ("tenants.acme.weight", HOT),
        ("tenants.acme.callback_secret_file", LOCAL),
        ("tenants.acme.callback_headers.X-Token", LOCAL),
        ("modules.trusted_keys", LOCAL),
        ("modules.channel", HOT),
        ("redis.url", LOCAL),
        ("sandbox.memory_bytes", LOCAL),
        ("browser.executable", LOCAL),
        ("egress.hosts.a", LOCAL),
        ("worker.id", LOCAL),
        ("http.bind", LOCAL),
        ("profiles.page.a", LOCAL),
        ("profiles.max_bytes", RESTART),
    ],
)
def test_what_decides_trust_is_local(name: str, expected: Reload) -> None:
    assert reload_of(tuple(name.split("."))) is expected


def test_a_running_worker_follows_hot_settings_and_keeps_the_others() -> None:
    started = Settings()
    wanted = Settings(
        pool=PoolSettings(runners=9),
        artifacts=ArtifactSettings(link_seconds=5, on_failure=False),
        tenants={"acme": TenantSettings(weight=3)},
    )
    now = running(started, wanted)
    assert (now.pool.runners, now.artifacts.on_failure, now.tenants["acme"].weight) == (9, False, 3)
    assert now.artifacts.link_seconds == started.artifacts.link_seconds
    assert waiting(started, wanted) == ("artifacts.link_seconds",)
    assert waiting(started, started) == ()
