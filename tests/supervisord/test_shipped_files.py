"""The files of deploy/supervisord fit the daemon, and supervisord reads them."""

import tomllib
from pathlib import Path

import pytest
from pw_supervisord import BIN, SHIPPED, WORKER, shipped, supervisord, with_config

from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.exit_codes import DaemonExit
from pageworker_supervisor.host.rights import NEEDED
from pageworker_supervisor.worker_report import longest_stop_seconds

ONE, SEVERAL = "pageworker.conf", "pageworker-several.conf"
OWN_WORDS = {"process_name", "numprocs", "numprocs_start", "environment", "stdout_logfile", "stderr_logfile"}
"""Options in which several workers differ from one."""


def test_a_stop_waits_longer_than_the_longest_drain() -> None:
    assert shipped(ONE).getfloat(WORKER, "stopwaitsecs") > longest_stop_seconds(Settings())


def test_the_comment_says_of_what_the_time_for_a_stop_consists() -> None:
    settings = Settings()
    drain, callbacks = settings.worker.drain_seconds, settings.callbacks.timeout_seconds
    rest = longest_stop_seconds(settings) - drain - callbacks
    assert (
        f"worker.drain_seconds ({drain:g}) + callbacks.timeout_seconds ({callbacks:g}) + {rest:g} to"
        in (SHIPPED / ONE).read_text()
    )


def test_no_start_is_repeated_that_cannot_help() -> None:
    section = shipped(ONE)[WORKER]
    assert section["autorestart"] == "unexpected"
    lasting = {DaemonExit.STOPPED, DaemonExit.MISCONFIGURED, DaemonExit.HOST_UNFIT}
    assert {int(code) for code in section["exitcodes"].split(",")} == lasting


def test_the_page_grants_a_worker_of_its_own_user_what_it_needs() -> None:
    page = (SHIPPED.parents[1] / "docs" / "supervisord.md").read_text()
    (command,) = (line for line in page.splitlines() if line.startswith("command=/usr/bin/setpriv"))
    needed = ",".join(["-all", *(f"+{one.name.removeprefix('CAP_').lower()}" for one in NEEDED)])
    sets = [word for word in command.split() if word.partition("=")[2].startswith("-all")]
    assert sets == [f"--{kind}={needed}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    assert command.endswith(f" {shipped(ONE).get(WORKER, 'command')}")


def test_several_workers_differ_from_one_in_what_is_their_own() -> None:
    one, several = shipped(ONE)[WORKER], shipped(SEVERAL)[WORKER]
    assert {name for name in {*one, *several} if one.get(name) != several.get(name)} == OWN_WORDS


@pytest.mark.parametrize("name", [ONE, SEVERAL, "pageworker-listener.conf"])
def test_all_run_what_setup_installs(name: str) -> None:
    sections = shipped(name)
    (section,) = sections.sections()
    program, option, config = sections.get(section, "command").split()
    assert (Path(program).parent, option, config) == (
        Path("/opt/pageworker/venv/bin"),
        "--config",
        "/etc/pageworker/pageworker.toml",
    )
    assert (BIN / Path(program).name).exists()


def test_each_of_several_workers_has_a_name_a_folder_and_a_port(tmp_path: Path) -> None:
    config = tmp_path / "pageworker.toml"
    config.write_text("[redis]\nurl = 'redis://127.0.0.1:1/0'\n")
    # It prints the settings that count, and ends.
    command = f"{BIN}/workerctl config show --config {config}"
    with supervisord(SEVERAL, overrides=with_config(config, startsecs="0", command=command)) as running:
        for number in (0, 1):
            running.wait_for("EXITED", process=f"pageworker:pageworker-{number}")
        texts = [running.output(f"pageworker-{number}.log") for number in (0, 1)]
        status = running.control("status", "pageworker:*", code=3)
    assert status.count("EXITED") == 2
    for number, text in enumerate(texts):
        settings = tomllib.loads(text)
        assert settings["worker"]["id"].endswith(f"-{number}")
        assert settings["worker"]["data_dir"] == f"/var/lib/pageworker/{number}"
        assert settings["http"]["bind"] == f"127.0.0.1:947{number}"
