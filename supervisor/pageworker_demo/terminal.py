"""The demo's output: progress while it runs, then a table of jobs, the isolation, and what to try next."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pageworker_demo.expectations import DecodedResult, ref_of
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
    """Lines and a progress bar on a terminal; lines alone if the output goes elsewhere."""

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

    def step(self, text: str) -> None:
        """One step is done."""
        self._print(f"[bold]·[/] {_plain(text)}")

    def begin(self, jobs: int) -> None:
        """The first job is about to be pushed."""
        self.step(f"{jobs} jobs are pushed. Each result is printed as it arrives, with the time since its push:")
        self._progress.update(self._bar, total=jobs)
        self._progress.start()

    def result(self, result: DecodedResult) -> None:
        """A result has arrived."""
        colour = COLOURS.get(result["status"], "white")
        status, job = _plain(f"{result['status']:<10}"), _plain(f"{ref_of(result)!s:<22}")
        self._print(f"  [{colour}]{status}[/] {job} {_seconds(result['timing']['total'])}")
        self._progress.advance(self._bar)

    def end(self) -> None:
        """No more results will come."""
        self._progress.stop()

    def table(self, jobs: Sequence[ScenarioJob], results: Iterable[DecodedResult]) -> None:
        """Every job and its result, in the order of pushing."""
        by_ref = {ref_of(result): result for result in results}
        table = Table(title="Jobs and their results", title_justify="left", box=None, pad_edge=False)
        for name in ("job", "module", "status", "queued", "ran", "worker", "artifacts"):
            right = name in ("queued", "ran")
            table.add_column(name, justify="right" if right else "left", no_wrap=True)
        for job in jobs:
            if result := by_ref.get(job.ref):
                table.add_row(*_row(result))
        self._print_table(table)

    def artifacts(self, results: Iterable[DecodedResult]) -> None:
        """Every artifact, which has been compared with its SHA-256."""
        for result in results:
            for artifact in result["artifacts"]:
                line = f"{ref_of(result)}: artifact {artifact['kind']}, {artifact['bytes']} bytes, "
                self._print("  " + _plain(line + f"SHA-256 {artifact['sha256'][:16]}… verified"))

    def isolation(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """`rows`: check, reported by, answer."""
        if not rows:
            return
        table = Table(
            title="Isolation of one runner, checked while it ran",
            title_justify="left",
            caption="EPERM, EACCES, ENOENT and ENOSYS are the kernel's refusals of calls that the runner tried.",
            caption_justify="left",
            box=None,
            pad_edge=False,
        )
        for name in ("check", "reported by", "answer"):
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*map(_plain, row))
        self._print_table(table)

    def problems(self, found: Sequence[str], log_tail: str) -> None:
        """What is not as expected, and the end of the worker's log."""
        for problem in found:
            self._print(f"[red]✗[/] {_plain(problem)}")
        self._print(f"The end of the worker's log:\n{_plain_lines(log_tail)}")

    def failed(self, reason: str) -> None:
        """The demo could not be run."""
        self._print(f"[red]✗[/] {_plain_lines(reason)}")

    def next_steps(self, text: str) -> None:
        """What to try next."""
        self._print(_plain_lines(text))

    def _print(self, text: str) -> None:
        # Soft-wrapped, so that a pipe gets whole lines.
        self._console.print(text, highlight=False, soft_wrap=True)

    def _print_table(self, table: Table) -> None:
        self._console.print()
        self._console.print(table)


def _row(result: DecodedResult) -> tuple[str, ...]:
    timing = result["timing"]
    colour = COLOURS.get(result["status"], "white")
    runner = (result["runner_id"] or "").rpartition(".")[2]
    return (
        _plain(str(ref_of(result))),
        _plain(result["endpoint_module"]),
        f"[{colour}]{_plain(result['status'])}[/]",
        _seconds(timing["queued"] + timing["admitted"]),
        _seconds(timing["ran"]),
        _plain(f"{result['worker_id'] or '-'}" + (f" runner {runner}" if runner else "")),
        _plain(", ".join(artifact["kind"] for artifact in result["artifacts"])),
    )


def _plain(text: str) -> str:
    """Foreign text on one line. Control characters are escaped, and rich's markup has no effect."""
    return escape(printable(text))


def _plain_lines(text: str) -> str:
    """The same for text of several lines."""
    return escape(printable_lines(text))


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
