"""Where the control socket is."""

from pathlib import Path

from pageworker_supervisor.admin.control_socket import CONTROL_SOCKET, control_path


def test_the_socket_is_in_the_data_folder() -> None:
    assert control_path(Path("/data")) == Path("/data") / CONTROL_SOCKET
