"""What a test reads of one attempt."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.profile_report import ProfileReport


@dataclass
class AttemptReport:
    """The messages of a runner about one attempt."""

    logs: list[m.LogLine] = field(default_factory=list)
    artifacts: list[tuple[m.ArtifactData, bytes]] = field(default_factory=list)
    accepted: m.Accepted | None = None
    done: m.Done | None = None
    spans: m.Spans | None = None
    steps: list[m.StepReport] = field(default_factory=list)
    probed: ProfileReport | None = None
    """What its login probe has found."""
    order: list[str] = field(default_factory=list)

    @property
    def data(self) -> Any:
        """The result."""
        assert self.done is not None
        assert self.done.outcome == "succeeded", self.done
        return msgspec.msgpack.decode(self.done.data)

    @property
    def ended(self) -> m.Done:
        """The end that the runner reported."""
        assert self.done is not None
        return self.done

    @property
    def failure(self) -> m.Failure:
        """Why it failed."""
        assert self.done is not None
        assert self.done.failure is not None, self.done
        return self.done.failure

    @property
    def detail(self) -> Any:
        """The failure's detail."""
        return msgspec.msgpack.decode(self.failure.detail)
