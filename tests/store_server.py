"""An S3 server for tests: moto's, in a process of its own, which logs every request.

`python store_server.py LOG` prints its port, then serves until its stdin closes. A line of the log
is the method, the address and the number of bytes sent, tab-separated. Keys that end in
`.forbidden` may be listed but not read; those that end in `.vanishing` are gone when they are read.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

_REFUSED = {".forbidden": ("403 FORBIDDEN", "AccessDenied"), ".vanishing": ("404", "NoSuchKey")}


class Logged:
    """The application, and a line in the log for every answer."""

    def __init__(self, application: Any, log: Path) -> None:
        self._application, self._log = application, log.open("a", buffering=1)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        refused = _REFUSED.get(os.path.splitext(path)[1])
        if refused and method in ("GET", "HEAD"):
            body = f"<Error><Code>{refused[1]}</Code><Message>refused</Message></Error>".encode()
            head = method == "HEAD"
            start(refused[0], [("Content-Type", "application/xml")])
            chunks = [b"" if head else body]
        else:
            chunks = list(self._application(environ, start))
        query = environ["QUERY_STRING"]
        address = f"{path}?{query}" if query else path
        self._log.write(f"{method}\t{address}\t{sum(map(len, chunks))}\n")
        return chunks


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        pass


def main() -> None:
    application = Logged(DomainDispatcherApplication(create_backend_app), Path(sys.argv[1]))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    print(server.port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
