from pathlib import Path

import pytest

from pageworker_supervisor.config.module_settings import ModuleSettings


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (ModuleSettings(), False),
        (ModuleSettings(trusted_keys=("release.pub",)), True),
        (ModuleSettings(trust=Path("trust.toml")), True),
    ],
)
def test_a_worker_knows_whether_it_was_told_keys(settings: ModuleSettings, named: bool) -> None:
    assert settings.names_keys is named
