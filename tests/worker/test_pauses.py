"""A pause while a worker runs: it finishes what runs, starts no more, says so in its log, and goes on afterwards."""

from pw_worker import Echoes, nap, taken

from pageworker_supervisor.telemetry import log


async def test_a_worker_starts_no_job_of_a_paused_tenant_and_finishes_what_runs(worker: Echoes) -> None:
    lines: list[str] = []
    handler = log.add(lambda line: lines.append(str(line)), format="{level} {message} {extra}")
    try:
        await worker.push(nap("runs", 600))
        await worker.until(lambda: taken(worker) == 1)
        await worker.queue.pauses.pause("tenant", "acme", "the shop is down", "ann", for_seconds=3600)
        await worker.push(nap("waits", 1))
        await worker.answered(1, 30)
        assert list(worker.results) == ["runs"]
        (waiting,) = (await worker.queue.inspection.jobs("queued")).jobs
        assert waiting.why == "paused: tenant acme: the shop is down"
        await worker.queue.pauses.unpause("tenant", "acme", "bob")
        await worker.answered(2, 30)
        assert worker.results["waits"]["status"] == "succeeded"
        await worker.until(lambda: any(line.startswith("AUDIT unpaused") for line in lines))
        (told,) = [line for line in lines if line.startswith("AUDIT paused")]
        assert "the shop is down" in told
        assert "ann" in told
    finally:
        log.remove(handler)
