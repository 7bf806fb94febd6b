"""Mistakes in a configuration. The operator has to correct them."""

from dataclasses import dataclass

from pageworker_supervisor.contract.printable import printable


@dataclass(frozen=True)
class ConfigProblem:
    """One mistake. `source` is `file:line` or an environment variable. `key` is the dotted name of the setting.

    `found` contains no secret.
    """

    source: str
    key: str
    found: str
    expected: str
    hint: str = ""

    def line(self) -> str:
        """The mistake as one line of text."""
        words = [self.key or self.source, f"found {self.found}" if self.found else "", f"expected {self.expected}"]
        return printable(", ".join(word for word in words if word) + (f" ({self.hint})" if self.hint else ""))

    def render(self) -> str:
        """The mistake as a few lines of text."""
        lines = [f"  {printable(self.source)}" + (f"  {printable(self.key)}" if self.key else "")]
        rows = (("found", self.found), ("expected", self.expected), ("hint", self.hint))
        return "\n".join(lines + [f"    {name:<9} {printable(text)}" for name, text in rows if text])


class ConfigInvalid(Exception):
    """The configuration is invalid. `problems` holds every mistake, not only the first."""

    def __init__(self, problems: tuple[ConfigProblem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def render(self) -> str:
        """All mistakes as text."""
        count = len(self.problems)
        head = f"{count} mistake{'' if count == 1 else 's'} in the configuration:"
        return "\n\n".join([head, *(problem.render() for problem in self.problems)])

    def __str__(self) -> str:
        return self.render()
