"""The screen of `workerctl top`. The only file that imports textual."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, cast

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.widgets import DataTable, Footer, Static

from pageworker_supervisor.cli.fleet_status import WORKER_HEADS
from pageworker_supervisor.cli.top_frame import (
    FAILURE_HEADS,
    RUNNER_HEADS,
    TENANT_HEADS,
    SortKey,
    TopFrame,
    failure_rows,
    head_lines,
    runner_rows,
    tenant_rows,
    worker_rows,
)
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.redis_client.errors import RedisClientError

FRAME_SECONDS = 1.0
READ_SECONDS = 2.0
HEADS = {"workers": WORKER_HEADS, "runners": RUNNER_HEADS, "tenants": TENANT_HEADS, "failures": FAILURE_HEADS}


class TopApp(App[None]):
    """Shows a frame per second. While Redis does not answer, the last frame stays, and the first line says so."""

    CSS = "DataTable { height: 1fr; min-height: 4; } Static { height: auto; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("q", "quit", "Quit"),
        ("m", "order('memory')", "Sort by memory"),
        ("j", "order('jobs')", "Sort by jobs"),
        ("n", "order('name')", "Sort by name"),
    ]

    def __init__(
        self, read: Callable[[], Awaitable[TopFrame]], by: SortKey = "memory", read_seconds: float = READ_SECONDS
    ) -> None:
        """`read_seconds`: after how long Redis counts as not answering."""
        super().__init__()
        self._read = read
        self._read_seconds = read_seconds
        self._by: SortKey = by
        self._frame: TopFrame | None = None

    def compose(self) -> ComposeResult:
        """One line for trouble, the totals, and a table of each kind."""
        yield Static(id="trouble", markup=False)
        yield Static(id="head", markup=False)
        for name in HEADS:
            yield DataTable(id=name, cursor_type="none")
        yield Footer()

    async def on_mount(self) -> None:
        """Show the first frame, and then one per second."""
        for name, heads in HEADS.items():
            self._table(name).add_columns(*heads)
        self.set_interval(FRAME_SECONDS, self.show_next)
        await self.show_next()

    async def show_next(self) -> None:
        """Read a frame and show it."""
        trouble = ""
        try:
            async with asyncio.timeout(self._read_seconds):
                self._frame = await self._read()
        except TimeoutError:
            trouble = f"Redis does not answer within {self._read_seconds:g} s. This was true before:"
        except RedisClientError as error:
            trouble = f"Redis: {printable(error)}. This was true before:"
        self.query_one("#trouble", Static).update(trouble)
        self._show()

    def action_order(self, by: str) -> None:
        """A key was pressed: sort the tables."""
        self._by = cast(SortKey, by)  # the bindings above name no other key
        self._show()

    def _show(self) -> None:
        frame = self._frame
        if frame is None:
            return
        self.query_one("#head", Static).update(printable_head(frame))
        self._fill("workers", worker_rows(frame, self._by))
        self._fill("runners", runner_rows(frame, self._by))
        self._fill("tenants", tenant_rows(frame, self._by))
        self._fill("failures", failure_rows(frame))

    def _fill(self, name: str, rows: Sequence[Sequence[str]]) -> None:
        shown = self._table(name)
        shown.clear()
        # As `Text`, so that square brackets of foreign text are no markup.
        shown.add_rows([Text(printable(value)) for value in row] for row in rows)

    def _table(self, name: str) -> DataTable[Text]:
        return self.query_one(f"#{name}", DataTable)


def printable_head(frame: TopFrame) -> str:
    """The totals, each line safe to show."""
    return "\n".join(map(printable, head_lines(frame).splitlines()))
