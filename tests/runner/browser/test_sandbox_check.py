"""What the kernel reports of a renderer, read from a folder like /proc."""

from pathlib import Path

from pageworker_runner.browser.sandbox_check import renderer_facts


def process(proc: Path, pid: int, command: bytes, status: str) -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "cmdline").write_bytes(command)
    (proc / str(pid) / "status").write_text(status)


def test_the_first_renderer_is_reported(tmp_path: Path) -> None:
    process(tmp_path, 10, b"chromium\0--headless", "Name:\tx\nNoNewPrivs:\t0\nSeccomp:\t0\n")
    process(tmp_path, 11, b"chromium\0--type=renderer\0", "Name:\tx\nNoNewPrivs:\t1\nSeccomp:\t2\nThreads:\t9\n")
    assert renderer_facts(tmp_path) == "renderer: NoNewPrivs 1, Seccomp 2"


def test_a_process_that_ends_meanwhile_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "12").mkdir()
    (tmp_path / "12" / "status").write_text("Seccomp:\t2\n")
    assert renderer_facts(tmp_path) == "no renderer found"
