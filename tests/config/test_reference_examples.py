"""The examples of docs/configuration.md have the values that the page gives them."""

import re
import tomllib
from pathlib import Path

import pytest

from pageworker_supervisor.config.load import load
from pageworker_supervisor.config.reference_examples import (
    CHAPTERS,
    GLOBS_FILE,
    ORDER_FILE,
    ORDER_VARIABLES,
    PATHS_FILE,
)
from pageworker_supervisor.config.relative_paths import absolute_paths
from pageworker_supervisor.config.settings import Settings, TenantSettings
from pageworker_supervisor.config.tenant_lookup import limits_for

ROWS = re.findall(r"^\| `([\w-]+)` \| `([\w*-]+)` \| (\d+)[^|]*\| (\d+)", CHAPTERS, re.MULTILINE)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "pageworker.toml"
    file.write_text(text)
    return file


def test_a_variable_overrides_the_file_setting_by_setting(tmp_path: Path) -> None:
    settings = load(written(tmp_path, ORDER_FILE), ORDER_VARIABLES)
    assert (settings.pool.runners, settings.pool.pages, settings.pool.max_jobs) == (8, 2, 1000)
    assert settings.tenants["acme"] == TenantSettings(weight=5, concurrency=20)
    assert settings.tenants["beta"] == TenantSettings()


def test_paths_of_the_file_count_from_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/worker")
    tree = absolute_paths(Settings, tomllib.loads(PATHS_FILE), Path("/etc/pageworker"))
    assert tree["worker"]["data_dir"] == "/etc/pageworker/data"
    assert str(Path(tree["modules"]["registry"]).resolve()) == "/etc/registry"
    assert tree["modules"]["trusted_keys"] == ["/etc/pageworker/keys/release.pub", "/home/worker/keys/canary.pub"]


@pytest.mark.parametrize(("tenant", "key", "weight", "concurrency"), ROWS)
def test_one_key_counts_for_a_tenant(tmp_path: Path, tenant: str, key: str, weight: str, concurrency: str) -> None:
    settings = load(written(tmp_path, GLOBS_FILE), {})
    found = limits_for(settings.tenants, tenant)
    assert found is settings.tenants[key]
    assert (found.weight, found.concurrency) == (float(weight), int(concurrency))


def test_the_page_has_four_tenants() -> None:
    assert len(ROWS) == 4
