"""uvicorn's HTTP protocol as the API has it: a request that is no HTTP gets a problem document, too."""

import h11

from pageworker_supervisor.admin.bounded_protocol import BoundedProtocol
from pageworker_supervisor.api.problem import ApiProblem


class ApiProtocol(BoundedProtocol):
    """One connection."""

    def send_400_response(self, msg: str) -> None:
        """Answer what h11 could not read, and close the connection. uvicorn calls it."""
        response = ApiProblem("invalid_request", msg).response()
        head = h11.Response(
            status_code=400, headers=[*response.raw_headers, (b"connection", b"close")], reason=b"Bad Request"
        )
        for event in (head, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
