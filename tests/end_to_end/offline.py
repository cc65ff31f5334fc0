"""What `test_private.py` runs in a process of its own: index, search, serve and doctor.

Arguments: a video, then a library. With `alone` as a third one, this process has a network of its
own, whose loopback is still down.
"""

import fcntl
import json
import socket
import struct
import subprocess
import sys
import time
import urllib.request

from framefind.processes import python_command

SIOCSIFFLAGS = 0x8914
IFF_UP = 1
CLI = python_command("framefind.cli")


def bring_loopback_up() -> None:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))


def run(*arguments: str) -> str:
    done = subprocess.run([*CLI, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def ask(url: str, document: object = None) -> bytes:
    data = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
    return content


def serve(video: str, library: str) -> None:
    """Serve a library, search it, play from it and have it index a video again."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*CLI, "serve", "--library", library, "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr
            while "Ctrl-C" not in server.stderr.readline():
                pass
            at = f"http://127.0.0.1:{port}"
            while True:
                try:
                    ask(f"{at}/readyz")
                    break
                except OSError:
                    time.sleep(0.1)
            (moment, *_) = json.loads(ask(f"{at}/v1/search?q=a+dog"))["moments"]
            ask(f"{at}/v1/videos/{moment['video_id']}/frames/1.0.jpg")
            ask(f"{at}/v1/videos/{moment['video_id']}/stream?transcode=true")
            job = json.loads(ask(f"{at}/v1/jobs", {"path": video}))["id"]
            while json.loads(ask(f"{at}/v1/jobs/{job}"))["state"] in ("queued", "running"):
                time.sleep(0.1)
        finally:
            server.terminate()


def main(video: str, library: str, network: str = "") -> None:
    if network == "alone":
        bring_loopback_up()
    run("index", video, "--library", library)
    run("search", "a dog", "--library", library)
    run("search", "--image", f"{video}@1", "--library", library)
    serve(video, library)
    run("doctor", "--library", library)
    print("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
