"""The daemon as a process: a failed start is reported with its log, and no process outlives the block."""

from pathlib import Path

import pytest

from pageworker_demo.daemon import Daemon, DaemonFailed, running
from pageworker_demo.loopback_server import free_port


async def test_a_worker_that_does_not_start_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    config = tmp_path / "pageworker.toml"
    config.write_text("[nonsense]\nx = 1\n")
    async with running(config, free_port(), tmp_path / "daemon.log") as daemon:
        with pytest.raises(
            DaemonFailed, match=r"(?s)The worker ended with exit code 2\. The end of its log:\n.*nonsense"
        ):
            await daemon.until_ready()


async def test_the_worker_has_ended_when_the_block_is_left(tmp_path: Path) -> None:
    config = tmp_path / "pageworker.toml"
    config.write_text("[nonsense]\nx = 1\n")
    async with running(config, free_port(), tmp_path / "daemon.log") as daemon:
        assert daemon.process.returncode is None
    assert daemon.process.returncode is not None


async def test_settings_in_the_environment_of_the_caller_do_not_apply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGEWORKER_POOL__RUNNERS", "of the caller")
    config = tmp_path / "pageworker.toml"
    config.write_text("[nonsense]\nx = 1\n")
    async with running(config, free_port(), tmp_path / "a.log", {"PAGEWORKER_POOL__PAGES": "given"}) as daemon:
        await daemon.process.wait()
    log = daemon.log_tail()
    assert "PAGEWORKER_POOL__PAGES" in log
    assert "PAGEWORKER_POOL__RUNNERS" not in log


async def test_the_log_tail_is_the_last_lines_and_empty_without_a_log(tmp_path: Path) -> None:
    config = tmp_path / "pageworker.toml"
    config.write_text("[nonsense]\nx = 1\n")
    async with running(config, free_port(), tmp_path / "daemon.log") as daemon:
        log = tmp_path / "other.log"
        other = Daemon(daemon.process, daemon.url, log)
        assert other.log_tail() == ""
        log.write_text("\n".join(map(str, range(100))))
        assert other.log_tail().splitlines() == [str(number) for number in range(85, 100)]
