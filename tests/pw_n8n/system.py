"""n8n with the worker that its flows push to."""

from dataclasses import dataclass

from pageworker_demo.queue_client import DemoQueueClient
from pw_n8n.server import N8n


@dataclass(frozen=True)
class System:
    """A running n8n at `url` whose flows push to the worker behind `queue_client`."""

    n8n: N8n
    url: str
    queue_client: DemoQueueClient
