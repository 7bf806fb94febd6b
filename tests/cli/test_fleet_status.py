"""The fleet as rows and text."""

from pw_worker.reports import worker_report

from pageworker_supervisor.cli.fleet_status import fleet_text, size
from pageworker_supervisor.contract.worker_report import WorkerReport
from pageworker_supervisor.queue.fleet_status import FleetStatus, fleet_status
from pageworker_supervisor.queue.fleet_workers import HeardWorker, StoredDrain, WorkersPage
from pageworker_supervisor.queue.pauses import PauseView

NOW = 1_800_000_000.0
DRAIN = StoredDrain(
    name="tag:eu", id="d", since_ms=int(NOW * 1000), deadline_ms=int(NOW * 1000), who="me", reason="r\n2", cancel=False
)


def heard(report: WorkerReport) -> HeardWorker:
    return HeardWorker(name=report.name, heard_at=report.reported_at, report=report)


def status(*workers: HeardWorker) -> FleetStatus:
    return fleet_status(WorkersPage(now=NOW, workers=workers, drains=(DRAIN,), position=None), [])


def test_the_text_has_a_row_per_worker_and_per_drain() -> None:
    text = fleet_text(status(heard(worker_report("a", "eu", reported_at=NOW - 99)), heard(worker_report("b"))))
    head, drains, workers = text.split("\n\n")
    assert "2 workers: 0 ready, 2 unknown" in head
    assert "r\\n2" in drains, "the reason cannot add a line"
    assert workers.splitlines()[1].split()[:4] == ["a", "h", "unknown", "?"]


def test_the_text_says_what_is_paused_by_whom_and_until_when() -> None:
    since = int(NOW * 1000)
    acme = PauseView(kind="tenant", name="acme", reason="r\n2", by="ann", since_ms=since, until_ms=since, shards=(0,))
    shop = PauseView(kind="domain", name="shop.test", reason="x", by="bob", since_ms=since, until_ms=None, shards=(0,))
    found = fleet_status(WorkersPage(now=NOW, workers=(), drains=(), position=None), [], [acme, shop])
    _, *lines = fleet_text(found).split("\n\n")[1].splitlines()
    at = "2027-01-15 08:00:00Z"
    assert lines[0].split() == ["tenant", "acme", *at.split(), *at.split(), "ann", "r\\n2"]
    assert lines[1].split() == ["domain", "shop.test", *at.split(), "-", "bob", "x"]


def test_sizes() -> None:
    assert (size(0), size(3 * 2**20), size(3 * 2**29)) == ("0 MiB", "3 MiB", "1.5 GiB")
