"""Which parameters a change of central values writes and deletes, and how it is taken back. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from pageworker_supervisor.central.listing import in_json
from pageworker_supervisor.central.parameter_names import NoParameterName, parameter_name, values_of_parameters
from pageworker_supervisor.config.central_document import CentralValues


class ParameterChange(Struct, frozen=True):
    """Parameters to write, by name, and parameters to delete."""

    put: dict[str, str]
    delete: list[str]

    def undo(self, before: Mapping[str, str]) -> "ParameterChange":
        """What restores the parameters as they were `before`."""
        return ParameterChange(
            {name: before[name] for name in (*self.put, *self.delete) if name in before},
            [name for name in self.put if name not in before],
        )


def parameter_change(base: str, before: Mapping[str, str], wanted: CentralValues) -> ParameterChange:
    """From the parameters as they are to these values. Raises NoParameterName for a setting that is in a table."""
    present = values_of_parameters(base, before)
    put = {
        parameter_name(base, name): in_json(value)
        for name, value in wanted.items()
        if name not in present or present[name] != value
    }
    delete = [parameter_name(base, name) for name in present if name not in wanted]
    if inside := [name for name in delete if name not in before]:
        raise NoParameterName(f"{inside[0]} is no parameter: its setting is in a table above it. Change that in AWS")
    return ParameterChange(put, delete)
