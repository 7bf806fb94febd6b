"""Documents of the central configuration as they are stored: every value is JSON text. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from pageworker_supervisor.config.central_document import SOURCE, CentralValues
from pageworker_supervisor.config.check import show
from pageworker_supervisor.config.errors import ConfigInvalid, ConfigProblem
from pageworker_supervisor.queue.config_store import Texts, texts_of
from pageworker_supervisor.queue.errors import ConfigStoreDamaged

MOST_PROBLEMS = 40
MOST_TEXT = 400


def values_of(document: bytes) -> CentralValues:
    """The values of a document. Raises ConfigInvalid with each value that is not JSON."""
    try:
        texts = texts_of(document)
    except ConfigStoreDamaged as error:
        raise ConfigInvalid((ConfigProblem(SOURCE, "", str(error), "settings in UTF-8"),)) from error
    values: dict[str, Any] = {}
    problems = []
    for name, text in texts.items():
        try:
            values[name] = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            hint = 'a text needs quotes: "debug"'
            problems.append(ConfigProblem(SOURCE, name, show(text), "a value in JSON", hint))
    if problems:
        raise ConfigInvalid(tuple(problems))
    return values


def texts_of_values(values: Mapping[str, Any]) -> Texts:
    """Values as they are stored."""
    return {name: msgspec.json.encode(value).decode() for name, value in values.items()}


def reasons(invalid: ConfigInvalid) -> list[str]:
    """The mistakes as a vote has them: one bounded line each, as many as a vote may have."""
    lines = [problem.line()[:MOST_TEXT] for problem in invalid.problems]
    rest = len(lines) - MOST_PROBLEMS
    return lines if rest <= 0 else [*lines[:MOST_PROBLEMS], f"and {rest} more"]
