"""The launcher: checks what the host offers, and starts sandboxed processes on it.

`survey` examines the host once. `launch` and `launch_gateway` start process trees in sandboxes. A `SandboxedProcess`
is such a tree, seen from outside. `checks` is for `workerctl doctor`.
"""

from pageworker_sandbox.launch.checks import HostCheck, checks
from pageworker_sandbox.launch.errors import HostProblem, HostUnfit, LaunchFailed
from pageworker_sandbox.launch.gateway import GatewayProcesses, GatewayUsers, launch_gateway
from pageworker_sandbox.launch.host import Host
from pageworker_sandbox.launch.preflight import survey
from pageworker_sandbox.launch.root_layout import SandboxSpec
from pageworker_sandbox.launch.sandboxed_process import ExitStatus, SandboxedProcess
from pageworker_sandbox.launch.start import launch

__all__ = [
    "ExitStatus",
    "GatewayProcesses",
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
