"""An n8n in queue mode: one process takes requests, its workers run the executions.

n8n supports that with PostgreSQL alone: with SQLite, processes lose executions to `database is locked`. The variables
`DB_POSTGRESDB_HOST`, `DB_POSTGRESDB_PORT` and so on of n8n name an empty database.
"""

import os
import subprocess
from dataclasses import dataclass, field

from pw_servers.ports import free_port

from pw_n8n.server import NODE, ROOT, WITH_PARENT, N8n

HAS_DATABASE = "DB_POSTGRESDB_HOST" in os.environ


@dataclass
class QueueN8n(N8n):
    """`workers` processes beside the main one, on a database of Redis of their own."""

    redis_port: int = 0
    workers: int = 2
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """As that of one process, with the queue."""
        return {
            **super().environment(),
            "DB_TYPE": "postgresdb",
            "EXECUTIONS_MODE": "queue",
            "QUEUE_BULL_REDIS_HOST": "127.0.0.1",
            "QUEUE_BULL_REDIS_PORT": str(self.redis_port),
            "OFFLOAD_MANUAL_EXECUTIONS_TO_WORKERS": "true",
        }

    def start(self) -> None:
        """Start the main process, which makes the tables, and then the workers."""
        super().start()
        self.running = [self._worker(number) for number in range(self.workers)]

    def restart_worker(self, number: int) -> None:
        """Kill one worker, and start it again."""
        self.running[number].kill()
        self.running[number].wait(30)
        self.running[number] = self._worker(number)

    def stop(self) -> None:
        """SIGTERM to all, and wait."""
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(90)
        self.running = []
        super().stop()

    def _worker(self, number: int) -> subprocess.Popen[bytes]:
        ports = {"N8N_RUNNERS_BROKER_PORT": str(free_port()), "QUEUE_HEALTH_CHECK_PORT": str(free_port())}
        with (self.folder / f"worker-{number}.log").open("ab") as log:
            return subprocess.Popen(
                [*WITH_PARENT, str(NODE), str(ROOT / "app/node_modules/n8n/bin/n8n"), "worker", "--concurrency=5"],
                env={**self.environment(), **ports},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def picked_up(self) -> list[int]:
        """How many executions each worker has run, by its log."""
        logs = [(self.folder / f"worker-{number}.log").read_text() for number in range(self.workers)]
        return [text.count("Worker finished execution") for text in logs]
