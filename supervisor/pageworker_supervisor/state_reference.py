"""docs/states.md, generated from the transition tables: `python -m pageworker_supervisor.state_reference`.

The text of each life cycle is the docstring on top of its file. To add one, add it to `LIFE_CYCLES`.
"""

import sys
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from inspect import getdoc
from types import ModuleType
from typing import Any

from pageworker_runner.pages import page_state
from pageworker_sandbox.egress import upstream_health
from pageworker_sandbox.state_machine import TransitionTable, diagram
from pageworker_sandbox.wire import message_rules
from pageworker_sandbox.wire.message_rules import ConnectionState, SentAttemptState
from pageworker_supervisor import drain_causes, worker_state
from pageworker_supervisor.contract import batch_state, job_state, profile_login
from pageworker_supervisor.delivery import circuit_breaker
from pageworker_supervisor.dispatch import attempt_state
from pageworker_supervisor.rollouts import rollout_state
from pageworker_supervisor.runners import context_breaker, runner_state, start_history


@dataclass(frozen=True)
class LifeCycle:
    """One section of the document: a title, the file with the table, the table, its first and its last states."""

    title: str
    file: ModuleType
    table: TransitionTable[Any, Any]
    start: Enum
    finals: Collection[Enum] = ()


LIFE_CYCLES = (
    LifeCycle("Job", job_state, job_state.TRANSITIONS, job_state.START, job_state.FINALS),
    LifeCycle(
        "Attempt",
        attempt_state,
        attempt_state.TRANSITIONS,
        attempt_state.AttemptState.ADMITTING,
        (attempt_state.AttemptState.ENDED,),
    ),
    LifeCycle(
        "Runner",
        runner_state,
        runner_state.TRANSITIONS,
        runner_state.RunnerState.STARTING,
        (runner_state.RunnerState.GONE,),
    ),
    LifeCycle("Page", page_state, page_state.TRANSITIONS, page_state.PageState.IDLE, (page_state.PageState.LOST,)),
    LifeCycle(
        "Worker",
        worker_state,
        worker_state.TRANSITIONS,
        worker_state.WorkerState.STARTING,
        (worker_state.WorkerState.STOPPING,),
    ),
    LifeCycle("Drain of a worker", drain_causes, drain_causes.TRANSITIONS, drain_causes.DrainCauses.NOTHING),
    LifeCycle("Batch", batch_state, batch_state.TRANSITIONS, batch_state.START, batch_state.FINALS),
    LifeCycle("Login of a profile", profile_login, profile_login.TRANSITIONS, profile_login.START),
    LifeCycle("Rollout of a module", rollout_state, rollout_state.TRANSITIONS, rollout_state.START),
    LifeCycle(
        "Circuit breaker of a callback receiver",
        circuit_breaker,
        circuit_breaker.TRANSITIONS,
        circuit_breaker.CircuitState.CLOSED,
    ),
    LifeCycle(
        "Circuit breaker of a browser context",
        context_breaker,
        context_breaker.TRANSITIONS,
        context_breaker.ContextBreakerState.CLOSED,
    ),
    LifeCycle("Health of an upstream proxy", upstream_health, upstream_health.TRANSITIONS, upstream_health.START),
    LifeCycle("Health of a host", start_history, start_history.TRANSITIONS, start_history.HostState.WELL),
    LifeCycle("Connection to a runner", message_rules, message_rules.CONNECTION_TRANSITIONS, ConnectionState.STARTED),
    LifeCycle(
        "Attempt on a runner's connection",
        message_rules,
        message_rules.ATTEMPT_TRANSITIONS,
        SentAttemptState.SENT,
        (SentAttemptState.FREED,),
    ),
)
"""Every life cycle of the product."""

HEADING = "Theory of operation\n===================\n\n"

TOP = """# States

<!-- Generated: python -m pageworker_supervisor.state_reference > docs/states.md -->

Every life cycle is an Enum of states, an Enum of events and one table of transitions in one file. A pair of state and
event that the table lacks is illegal and raises `IllegalTransition`. The diagrams below are generated from the
tables. They leave out events that change nothing.
"""


def document() -> str:
    """The whole document, Markdown."""
    described: set[ModuleType] = set()
    parts = [TOP]
    for cycle in LIFE_CYCLES:
        path = _path(cycle.file)
        parts.append(f"\n## {cycle.title}\n\n[`{path}`](../{path})\n")
        if cycle.file not in described:
            described.add(cycle.file)
            parts.append(f"\n{(getdoc(cycle.file) or '').replace(HEADING, '')}\n")
        parts.append(f"\n```mermaid\n{diagram(cycle.table, cycle.start, cycle.finals)}```\n")
    return "".join(parts)


def _path(file: ModuleType) -> str:
    zone = file.__name__.partition(".")[0].removeprefix("pageworker_")
    return f"{zone}/{file.__name__.replace('.', '/')}.py"


if __name__ == "__main__":
    sys.stdout.write(document())
