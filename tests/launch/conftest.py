from pathlib import Path

import pytest
from pw_sandbox import sandboxes

from pageworker_sandbox.launch import Host


@pytest.fixture(scope="session")
def host() -> Host:
    return sandboxes.host(sandboxes.HEADLESS)


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    return tmp_path / "profile"
