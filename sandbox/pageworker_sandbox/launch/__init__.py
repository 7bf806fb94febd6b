"""The launcher: what the host offers, and cells made of it.

`survey` looks the host over once, `launch` and `launch_gateway` start process trees in sandboxes, and a `Cell`
is such a tree seen from outside. `checks` are for the operator.
"""

from pageworker_sandbox.launch.checks import HostCheck, checks
from pageworker_sandbox.launch.errors import HostProblem, HostUnfit, LaunchFailed
from pageworker_sandbox.launch.gateway import GatewayCells, GatewayUsers, launch_gateway
from pageworker_sandbox.launch.host import Host
from pageworker_sandbox.launch.preflight import survey
from pageworker_sandbox.launch.root_layout import SandboxSpec
from pageworker_sandbox.launch.sandboxed_process import ExitStatus, SandboxedProcess
from pageworker_sandbox.launch.start import launch

__all__ = [
    "ExitStatus",
    "GatewayCells",
    "GatewayUsers",
    "Host",
    "HostCheck",
    "HostProblem",
    "HostUnfit",
    "LaunchFailed",
    "SandboxSpec",
    "SandboxedProcess",
    "checks",
    "launch",
    "launch_gateway",
    "survey",
]
