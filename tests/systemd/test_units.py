"""The units of deploy/systemd: clean for systemd, as tight as they say, and in step with the daemon."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pw_systemd.units import API, DEPLOY, FLEET, ROOT, TEMPLATE, UNIT, allowed_calls, entries, values

from pageworker_supervisor.config.load import load
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.exit_codes import DaemonExit
from pageworker_supervisor.worker_report import longest_stop_seconds

SYSTEM_UNITS = Path("/usr/lib/systemd/system")
NAMES = ("pageworker.service", "pageworker@one.service", "pageworker-fleet.service", "pageworker-api.service")
EXPOSURE, LOW_EXPOSURE = 3.8, 1.2
"""Of 10, where 10 is a service without any hardening. docs/systemd.md names it. Other versions look at other things."""
EXPOSURE_BY = "systemd 252 "

DOCUMENT = (ROOT / "docs" / "systemd.md").read_text()

INSTANCE_LINES = {
    "Description=pageworker %i: browser jobs from Redis in sandboxes",
    "Environment=PAGEWORKER_WORKER__DATA_DIR=%S/pageworker-%i",
    "Environment=PAGEWORKER_WORKER__ID=%l-%i",
    "Environment=PAGEWORKER_HTTP__BIND=127.0.0.1:0",
    "EnvironmentFile=-/etc/pageworker/%i.env",
    "StateDirectory=pageworker-%i",
}
"""What only the template has."""


def value(unit: Path, key: str) -> str:
    """The value of a key that stands there once."""
    (found,) = values(unit, key)
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder with our units, systemd's own, and the programs that they start."""
    folder = tmp_path_factory.mktemp("root")
    shutil.copytree(SYSTEM_UNITS, folder / "usr/lib/systemd/system", symlinks=True)
    (folder / "lib").symlink_to("usr/lib")
    units = folder / "etc/systemd/system"
    units.mkdir(parents=True)
    for unit in (UNIT, TEMPLATE, FLEET, API):
        shutil.copy(unit, units)
    ours = (f"opt/pageworker/venv/bin/{name}" for name in ("pageworker", "pageworker-api", "workerctl"))
    for program in (*ours, "usr/bin/kill"):
        file = folder / program
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o755)
    return folder


def analyzed(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`systemd-analyze` on the units of this folder."""
    command = ["systemd-analyze", *words, f"--root={root}", "--no-pager"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"]})


@pytest.mark.parametrize("name", NAMES)
def test_systemd_finds_no_fault(root: Path, name: str) -> None:
    done = analyzed(root, "verify", "--man=no", "--recursive-errors=no", name)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_would_find_a_fault(root: Path) -> None:
    (root / "etc/systemd/system/wrong.service").write_text("[Service]\nExecStart=/usr/bin/kill\nWatchdogSecs=60\n")
    assert "WatchdogSecs" in analyzed(root, "verify", "--man=no", "wrong.service").stderr


@pytest.mark.parametrize("name", NAMES)
def test_the_exposure_is_as_documented(root: Path, name: str) -> None:
    version = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, timeout=60).stdout
    if not version.startswith(EXPOSURE_BY):
        pytest.skip(f"the documented score is that of {EXPOSURE_BY}")
    done = analyzed(root, "security", "--offline=yes", name)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    expected = LOW_EXPOSURE if name in (FLEET.name, API.name) else EXPOSURE
    assert float(found[1]) == expected
    assert (
        f"`systemd-analyze security {name.partition('@')[0].removesuffix('.service')}` gives {expected:g}" in DOCUMENT
    )


def test_the_template_differs_by_its_instance_only() -> None:
    ours, theirs = ({f"{key}={text}" for key, text in entries(unit)} for unit in (UNIT, TEMPLATE))
    assert theirs - ours == INSTANCE_LINES
    assert ours - theirs == {
        "Description=pageworker: browser jobs from Redis in sandboxes",
        "Environment=PAGEWORKER_WORKER__DATA_DIR=%S/pageworker",
        "StateDirectory=pageworker",
    }


@pytest.mark.parametrize("key", ["AmbientCapabilities", "CapabilityBoundingSet"])
def test_the_unit_grants_what_the_daemon_needs_and_no_more(key: str) -> None:
    rights = pytest.importorskip("pageworker_supervisor.host.rights")
    assert value(UNIT, key).split() == sorted(needed.name for needed in rights.NEEDED)


def test_a_wrong_configuration_is_not_started_again() -> None:
    assert value(UNIT, "RestartPreventExitStatus") == f"{DaemonExit.MISCONFIGURED:d} {DaemonExit.HOST_UNFIT:d}"
    assert value(UNIT, "Restart") == "on-failure"


def test_a_stop_has_the_time_that_the_daemon_needs() -> None:
    assert int(value(UNIT, "TimeoutStopSec")) > longest_stop_seconds(Settings())


def test_the_filter_has_the_calls_of_a_container_and_no_more_risky_ones() -> None:
    """seccomp/container.json is tried: all of pageworker runs under it."""
    allowed = allowed_calls(UNIT)
    rules = json.loads((ROOT / "seccomp" / "container.json").read_text())["syscalls"]
    needed = {name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    refused = {name for rule in rules if rule["action"] != "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert needed - allowed == set()
    # A container has one user id: it enters no user namespace for others.
    assert refused & allowed == {"setns"}


def test_every_variable_of_the_units_is_a_setting(tmp_path: Path) -> None:
    files = (UNIT, TEMPLATE, FLEET, API, DEPLOY / "pageworker.service.d" / "credentials.conf.example")
    password = tmp_path / "password"
    password.write_text("hunter2\n")
    password.chmod(0o600)
    for file in files:
        variables = dict(text.partition("=")[::2] for key, text in entries(file) if key == "Environment")
        places = {"%S": str(tmp_path), "%l": "host", "%i": "one", "%d/redis_password": str(password)}
        for name, text in variables.items():
            for word, meant in places.items():
                text = text.replace(word, meant)
            variables[name] = text
        assert variables
        load(None, variables)


def test_the_first_configuration_is_valid() -> None:
    assert load(DEPLOY / "pageworker.toml", {}).modules.trusted_keys == ()


def test_the_fleet_process_is_where_prometheus_looks_for_it() -> None:
    words = value(FLEET, "ExecStart").split()
    address = words[words.index("--serve") + 1]
    assert f'"{address}"' in (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
    assert f"http://{address}/wanted" in DOCUMENT


@pytest.mark.parametrize("unit", [FLEET, API], ids=lambda unit: unit.stem)
def test_the_other_processes_read_the_files_of_the_worker(unit: Path) -> None:
    for key in ("User", "Group", "Environment"):
        assert value(unit, key) == value(UNIT, key)
    assert value(unit, "ExecStart").split()[-2:] == value(UNIT, "ExecStart").split()[-2:]


def test_the_api_is_as_tight_as_the_fleet_process() -> None:
    hardening = [entries(unit)[[key for key, _ in entries(unit)].index("LimitCORE") :] for unit in (FLEET, API)]
    assert hardening[0] == hardening[1]
    assert len(hardening[0]) > 25


def test_the_api_may_hold_its_connections_and_is_not_started_again_without_an_address() -> None:
    assert int(value(API, "LimitNOFILE")) > 2 * Settings().api.connections
    assert value(API, "RestartPreventExitStatus") == f"{DaemonExit.MISCONFIGURED:d}"


def test_the_api_may_write_the_modules_that_it_fetches_and_uploads_alone() -> None:
    assert value(API, "StateDirectory") == "pageworker/api-modules pageworker/files"
    assert values(API, "ReadWritePaths") == []
    assert '"api-modules"' in (ROOT / "supervisor/pageworker_supervisor/api/server.py").read_text()


def test_the_installation_brings_each_unit() -> None:
    script = (DEPLOY / "install.sh").read_text()
    assert [unit.name for unit in DEPLOY.glob("*.service") if f"deploy/systemd/{unit.name}" not in script] == []
