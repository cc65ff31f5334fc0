"""An S3 server for tests: moto's, in a process of its own, which logs every request.

`python store_server.py LOG` prints its port, then serves until its stdin closes. A line of the log
is the method, the address and the number of bytes sent, tab-separated. Keys that end in
`.forbidden` may be listed but not read; those that end in `.vanishing` are gone when they are read.
Of those that end in `.rangeless`, all is sent whatever part is asked for.
While there is a file `LOG.closed` with an ending and a number, keys that end so are forbidden, too,
once they have sent so many bytes.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

_REFUSED = ("403 Forbidden", "AccessDenied")
_GONE = ("404 Not Found", "NoSuchKey")


class Logged:
    """The application, and a line in the log for every answer."""

    def __init__(self, application: Any, log: Path) -> None:
        self._application = application
        self._log = log.open("a", buffering=1)
        self._closed = Path(f"{log}.closed")
        self._sent = 0  # of what is to be closed
        self._writing = threading.Lock()  # moto looks, then writes; a store does both at once

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        path = environ["PATH_INFO"]
        if path.endswith(".rangeless"):
            environ.pop("HTTP_RANGE", None)
        refusal = self._refusal(path) if method in ("GET", "HEAD") else None
        if refusal:
            status, code = refusal
            start(status, [("Content-Type", "application/xml")])
            chunks = [f"<Error><Code>{code}</Code></Error>".encode()] if method == "GET" else []
        elif method == "PUT":
            with self._writing:
                chunks = list(self._application(environ, start))
        else:
            chunks = list(self._application(environ, start))
        if self._closed.exists() and path.endswith(self._closed.read_text().split()[0]):
            self._sent += sum(map(len, chunks)) if method == "GET" else 0
        query = environ["QUERY_STRING"]
        address = f"{path}?{query}" if query else path
        self._log.write(f"{method}\t{address}\t{sum(map(len, chunks))}\n")
        return chunks

    def _refusal(self, path: str) -> tuple[str, str] | None:
        if path.endswith(".vanishing"):
            return _GONE
        if not self._closed.exists():
            self._sent = 0
        else:
            ending, most = self._closed.read_text().split()
            if path.endswith(ending) and self._sent >= int(most):
                return _REFUSED
        return _REFUSED if path.endswith(".forbidden") else None


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        pass


def main() -> None:
    os.environ.update(AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing")
    application = Logged(DomainDispatcherApplication(create_backend_app), Path(sys.argv[1]))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    print(server.port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
