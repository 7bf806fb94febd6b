"""uvicorn's HTTP protocol as the API has it: a request that is no HTTP gets a problem document, too."""

from collections.abc import Iterable

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


def framing_problem(headers: Iterable[tuple[bytes, bytes]]) -> ApiProblem | None:
    """Why it is not certain where the body of a request ends; None: it is.

    With both lengths, a proxy before the API may see one request where h11 sees two (RFC 9112, section 6.1). The
    connection is closed, so that nothing behind this request counts.
    """
    names = {name for name, _ in headers}
    if not names >= {b"content-length", b"transfer-encoding"}:
        return None
    detail = "The request has `Content-Length` and `Transfer-Encoding`"
    return ApiProblem("invalid_request", detail, hint="send one of them", headers={"Connection": "close"})
