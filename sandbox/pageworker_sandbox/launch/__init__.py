"""The launcher: what the host offers, and cells made of it.

`survey` looks the host over once, `launch` and `launch_gateway` start process trees in sandboxes, and a `Cell`
is such a tree seen from outside. `checks` are for the operator.
"""

from pageworker_sandbox.launch.cell import Cell, ExitStatus
from pageworker_sandbox.launch.checks import Check, checks
from pageworker_sandbox.launch.errors import HostUnfit, LaunchFailed, Problem
from pageworker_sandbox.launch.gateway import GatewayCells, GatewayUsers, launch_gateway
from pageworker_sandbox.launch.host import Host
from pageworker_sandbox.launch.layout import CellSpec
from pageworker_sandbox.launch.preflight import survey
from pageworker_sandbox.launch.start import launch

__all__ = [
    "Cell",
    "CellSpec",
    "Check",
    "ExitStatus",
    "GatewayCells",
    "GatewayUsers",
    "Host",
    "HostUnfit",
    "LaunchFailed",
    "Problem",
    "checks",
    "launch",
    "launch_gateway",
    "survey",
]
