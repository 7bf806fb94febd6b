"""Defaults, file, central configuration and environment: which one counts."""

from pathlib import Path

import pytest

from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.layers import combine, origins, source_of
from pageworker_supervisor.config.limit_settings import DomainSettings
from pageworker_supervisor.config.load import read_local
from pageworker_supervisor.config.settings import TenantSettings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pageworker.toml"
    path.write_text("[pool]\nrunners = 2\npages = 2\nmax_jobs = 2\n[jobs]\nmax_retries = 2\n")
    return path


def test_a_later_layer_overrides_one_before_it(file: Path) -> None:
    local = read_local(file, {"PAGEWORKER_POOL__MAX_JOBS": "4"})
    pool = local.settings({"pool.pages": 3, "pool.max_jobs": 3}).pool
    assert (pool.runners, pool.pages, pool.max_jobs) == (2, 3, 4)


def test_the_origin_of_each_setting(file: Path) -> None:
    layers = read_local(file, {"PAGEWORKER_POOL__MAX_JOBS": "4"}).with_central({"pool.pages": 3, "pool.max_jobs": 3})
    found = {origin.path: (origin.value, origin.layer, origin.source) for origin in origins(layers)}
    assert found[("pool", "runners")] == (2, "file", f"{file}:2")
    assert found[("pool", "pages")] == (3, "central", "central configuration")
    assert found[("pool", "max_jobs")] == (4, "environment", "PAGEWORKER_POOL__MAX_JOBS")
    assert found[("pool", "idle_seconds")] == (300.0, "default", "")
    assert source_of(layers, ("pool", "max_jobs")) == "PAGEWORKER_POOL__MAX_JOBS"


def test_a_central_tenant_does_not_close_a_worker_that_names_none() -> None:
    tenants = read_local(None, {}).settings({"tenants.acme.weight": 2}).tenants
    assert tenants == {"*": TenantSettings(), "acme": TenantSettings(weight=2)}
    domains = read_local(None, {}).settings({'domains."*.a.test".concurrency': 2}).domains
    assert domains == {"*": DomainSettings(), "*.a.test": DomainSettings(concurrency=2)}


def test_a_central_tenant_does_not_open_a_worker_that_names_its_tenants(file: Path) -> None:
    file.write_text("[tenants.umbrella]\nburst = 3\n")
    tenants = read_local(file, {}).settings({"tenants.acme.weight": 2}).tenants
    assert set(tenants) == {"umbrella", "acme"}


def test_a_null_removes_a_limit_of_the_file(file: Path) -> None:
    file.write_text("[tenants.acme]\nrate_per_second = 3\n")
    assert read_local(file, {}).settings({"tenants.acme.rate_per_second": None}).tenants["acme"].rate_per_second is None


def test_combining_changes_no_layer(file: Path) -> None:
    local = read_local(file, {})
    combine(local.with_central({"pool.pages": 3}))
    assert local.settings().pool.pages == 2


def test_the_whole_is_checked_with_the_file(file: Path) -> None:
    local = read_local(file, {"PAGEWORKER_SANDBOX__UIDS": "20"})
    with pytest.raises(ConfigInvalid, match=r"pool\.runners and 8 more"):
        local.settings({"pool.runners": 13})
