"""A real Prometheus with the shipped rules, whose durations are divided by one number."""

import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from deploy.prometheus.render_rules import TEMPLATE, render
from pw_servers.ports import free_port
from pw_servers.waiting import until

SCRAPE_SECONDS = 15.0
"""As in deploy/prometheus/prometheus.yml."""
BLIND_STEP_SECONDS = 0.25


@dataclass(frozen=True)
class AlertEpisode:
    """From when to when an alert fired, in Unix seconds. `end` is None while it does."""

    begin: float
    end: float | None


class PrometheusProcess:
    """`targets`: the port on loopback by the name of the job. `scrape_seconds`: before it is divided."""

    def __init__(
        self, folder: Path, targets: Mapping[str, int], divisor: float, scrape_seconds: float = SCRAPE_SECONDS
    ) -> None:
        self._folder = folder
        self._step = 0.25 * SCRAPE_SECONDS / divisor
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        (folder / "rules.yml").write_text(render(TEMPLATE.read_text(), divisor))
        jobs = "".join(
            f"  - {{job_name: {name}, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n"
            for name, port in targets.items()
        )
        interval = f"{round(1000 * scrape_seconds / divisor)}ms"
        (folder / "prometheus.yml").write_text(
            f"global: {{scrape_interval: {interval}, scrape_timeout: {interval}, evaluation_interval: {interval}}}\n"
            f"rule_files: [rules.yml]\nscrape_configs:\n{jobs}"
        )

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        with (self._folder / "prometheus.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL", "prometheus", f"--config.file={self._folder}/prometheus.yml"),
                    *(f"--storage.tsdb.path={self._folder}/data", f"--web.listen-address=127.0.0.1:{self.port}"),
                    "--log.level=warn",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(self._ready, "Prometheus is ready", 60, 0.1)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/-/ready").is_success
        except httpx.TransportError:
            return False

    def _get(self, path: str, **query: Any) -> Any:
        answer = httpx.get(f"http://127.0.0.1:{self.port}/api/v1/{path}", params=query, timeout=30)
        answer.raise_for_status()
        return answer.json()["data"]

    def values(self, expression: str) -> list[float]:
        """The value of each series that an expression gives now."""
        return [float(found["value"][1]) for found in self._get("query", query=expression)["result"]]

    def firing(self) -> set[str]:
        """Names of the alerts that fire now."""
        return {alert["labels"]["alertname"] for alert in self._get("alerts")["alerts"] if alert["state"] == "firing"}

    def blind_seconds(self, since: float) -> float:
        """For how long the last scrape of a target had failed, since that Unix time, of all targets together."""
        window = f"{max(1, round(time.time() - since))}s:{round(1000 * BLIND_STEP_SECONDS)}ms"
        return BLIND_STEP_SECONDS * sum(self.values(f"sum(count_over_time((up == 0)[{window}]))"))

    def episodes(self, since: float) -> dict[str, list[AlertEpisode]]:
        """By alert: when it fired since that Unix time, as Prometheus has recorded it."""
        now = time.time()
        found = self._get(
            "query_range",
            query='count by (alertname) (ALERTS{alertstate="firing"})',
            start=since,
            end=now,
            step=self._step,
        )
        return {
            series["metric"]["alertname"]: _episodes([at for at, _ in series["values"]], 2.5 * self._step, now)
            for series in found["result"]
        }


def _episodes(times: list[float], gap: float, now: float) -> list[AlertEpisode]:
    found: list[AlertEpisode] = []
    for position, at in enumerate(times):
        begins = position == 0 or at - times[position - 1] > gap
        ends = position + 1 == len(times) or times[position + 1] - at > gap
        if begins:
            found.append(AlertEpisode(at, None))
        if ends and now - at > gap:
            found[-1] = AlertEpisode(found[-1].begin, at)
    return found
