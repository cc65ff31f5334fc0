import os
import stat
import time
from pathlib import Path

import httpx
from serving import serve

from terminal import run_alone


def test_the_page_opens_without_telling_the_token_to_other_users(shared_library, tmp_path):
    """The browser here writes down what it is given; that must not hold the token."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\ncp "${{1#file://}}" {tmp_path}/shown.html; '
                       f'ls -ld "$(dirname "${{1#file://}}")" > {tmp_path}/rights; '
                       f'echo "$1" > {tmp_path}/argument\n')  # fmt: skip
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    os.environ["BROWSER"] = str(browser)
    try:
        with serve(shared_library.uri, "--token", "--open") as site:
            for _ in range(300):
                if (tmp_path / "argument").exists():
                    break
                time.sleep(0.1)
            argument = (tmp_path / "argument").read_text()
            assert site.token not in argument
            assert (tmp_path / "rights").read_text().startswith("drwx------")
            shown = (tmp_path / "shown.html").read_text()
            address = shown.split("url=")[1].split('"')[0]
            assert httpx.get(address, trust_env=False).status_code == 200
            assert site.token in address
    finally:
        del os.environ["BROWSER"]
    assert not Path(argument.strip().removeprefix("file://")).exists()


def test_a_port_that_is_taken_is_said_and_ctrl_c_ends_it_quietly(shared_library):
    import signal

    with serve(shared_library.uri) as site:
        ended = run_alone("serve", "--port", site.port, "--library", shared_library.uri)
        assert ended.returncode == 1
        assert "in use" in ended.stderr
        assert "Traceback" not in ended.stderr
        site.process.send_signal(signal.SIGINT)
        _, rest = site.process.communicate(timeout=30)
        assert site.process.returncode == 0
        assert "Traceback" not in rest
