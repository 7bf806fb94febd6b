"""Why a payload is not accepted by its module, or a result is not what its module promises."""

from typing import ClassVar

from pageworker_sandbox.signing import ModuleError
from pageworker_supervisor.input_schema.messages import PayloadMistake


class PayloadInvalid(ModuleError):
    """The payload does not match the input schema of the module. `mistakes` lists the first few."""

    type: ClassVar[str] = "payload_invalid"
    mend = "send a payload that matches the input schema of the module"

    def __init__(self, mistakes: tuple[PayloadMistake, ...]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


class OutputInvalid(ModuleError):
    """What the handler returned does not match the output schema of its module. `mistakes` lists the first few."""

    type: ClassVar[str] = "result_invalid"
    mend = "correct the handler, or `output` in module.toml"

    def __init__(self, mistakes: tuple[PayloadMistake, ...]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


class CheckLimitExceeded(ModuleError):
    """The schema and this payload or result need more than a check may use."""

    type: ClassVar[str] = "module_check_limit"
    mend = (
        "simplify the schema: fewer nested `anyOf`, `oneOf`, `allOf` and `$ref`, shorter `enum` lists and "
        "patterns; or send a smaller payload"
    )


class CheckerFailed(Exception):
    """A bug of the schema checker."""


class CheckerEnded(Exception):
    """A schema checker ended while it was at this check. `status`: as subprocess reports it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the schema checker ended with status {status}")
        self.status = status
