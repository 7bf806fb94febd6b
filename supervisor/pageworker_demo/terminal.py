"""What the demo shows: progress while it runs, then a table, the isolation, and how to do it oneself."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pageworker_demo.expectations import Answer, ref_of
from pageworker_demo.scenario import ScenarioJob
from pageworker_supervisor.contract.printable import printable, printable_lines

COLOURS = {
    "succeeded": "green",
    "blocked": "yellow",
    "failed": "red",
    "timed_out": "red",
    "rejected": "magenta",
    "expired": "cyan",
}


class DemoTerminal:
    """Lines and a bar on a terminal; plain lines where the output goes elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._bar = self._progress.add_task("results", total=0)

    def step(self, what: str) -> None:
        """One thing is done."""
        self._say(f"[bold]·[/] {_plain(what)}")

    def begin(self, jobs: int) -> None:
        """The first job is about to be pushed."""
        self._progress.update(self._bar, total=jobs)
        self._progress.start()

    def answered(self, answer: Answer) -> None:
        """A result came."""
        colour = COLOURS.get(answer["status"], "white")
        timing = answer["timing"]
        status, job = _plain(f"{answer['status']:<10}"), _plain(f"{ref_of(answer)!s:<22}")
        self._say(f"  [{colour}]{status}[/] {job} {_seconds(timing['total'])}")
        self._progress.advance(self._bar)

    def end(self) -> None:
        """No more results will come."""
        self._progress.stop()

    def table(self, acts: Sequence[ScenarioJob], answers: Iterable[Answer]) -> None:
        """Every job and what became of it."""
        by_ref = {ref_of(answer): answer for answer in answers}
        table = Table(title="jobs", title_justify="left", box=None, pad_edge=False)
        for name in ("job", "module", "status", "queued", "ran", "worker", "artifacts"):
            right = name in ("queued", "ran")
            table.add_column(name, justify="right" if right else "left", no_wrap=True)
        for act in acts:
            if answer := by_ref.get(act.ref):
                table.add_row(*_row(answer))
        self._show(table)

    def links(self, answers: Iterable[Answer]) -> None:
        """Where one job's artifacts lie, and what they are known by."""
        for answer in answers:
            for artifact in answer["artifacts"]:
                line = f"{ref_of(answer)}: {artifact['kind']}, {artifact['bytes']} bytes, "
                self._say("  " + _plain(line + f"sha256 {artifact['sha256'][:16]}…, checked"))

    def isolation(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """`rows`: what, seen from where, what the kernel or Chromium says."""
        table = Table(title="the isolation that was really in force", title_justify="left", box=None, pad_edge=False)
        for name in ("what", "seen from", "answer"):
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*map(_plain, row))
        self._show(table)

    def complaints(self, found: Sequence[str], daemons_last_words: str) -> None:
        """What went wrong."""
        for complaint in found:
            self._say(f"[red]✗[/] {_plain(complaint)}")
        self._say(f"the daemon's last words:\n{_plain_lines(daemons_last_words)}")

    def failed(self, why: str) -> None:
        """It could not be done at all."""
        self._say(f"[red]✗[/] {_plain_lines(why)}")

    def epilogue(self, text: str) -> None:
        """How to go on."""
        self._say(_plain_lines(text))

    def _say(self, text: str) -> None:
        # Soft-wrapped: a pipe gets whole lines.
        self._console.print(text, highlight=False, soft_wrap=True)

    def _show(self, table: Table) -> None:
        self._console.print()
        self._console.print(table)


def _row(answer: Mapping[str, Any]) -> tuple[str, ...]:
    timing = answer["timing"]
    colour = COLOURS.get(answer["status"], "white")
    runner = (answer["runner_id"] or "").rpartition(".")[2]
    return (
        _plain(str(ref_of(answer))),
        _plain(answer["endpoint_module"]),
        f"[{colour}]{_plain(answer['status'])}[/]",
        _seconds(timing["queued"] + timing["admitted"]),
        _seconds(timing["ran"]),
        _plain(f"{answer['worker_id'] or '-'}" + (f" runner {runner}" if runner else "")),
        _plain(", ".join(artifact["kind"] for artifact in answer["artifacts"])),
    )


def _plain(text: str) -> str:
    """Foreign text on one line, neither control characters nor rich's markup in force."""
    return escape(printable(text))


def _plain_lines(text: str) -> str:
    """The same for several lines."""
    return escape(printable_lines(text))


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
