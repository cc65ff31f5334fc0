from pathlib import Path

import pytest
import typer

from framefind.cli.address import grant_access, write_address


def test_only_this_computer_may_do_without_a_token(monkeypatch):
    monkeypatch.delenv("FRAMEFIND_TOKEN", raising=False)
    assert grant_access("127.0.0.1", 8000, (), False, ()).token is None
    asked = [grant_access("10.0.0.2", 8000, (), False, ()).token for _ in range(2)]
    assert None not in asked
    assert asked[0] != asked[1]
    assert grant_access("127.0.0.1", 8000, (), True, ()).token


def test_a_token_can_be_chosen_and_must_not_be_guessed_easily(monkeypatch):
    monkeypatch.setenv("FRAMEFIND_TOKEN", "a-token-of-my-own&more")
    assert grant_access("10.0.0.2", 8000, (), False, ()).token == "a-token-of-my-own&more"
    assert grant_access("127.0.0.1", 8000, (), False, ()).token is None
    for weak in ("short", "sixteen or more, with spaces", "sixteen-or-more-ü"):
        monkeypatch.setenv("FRAMEFIND_TOKEN", weak)
        with pytest.raises(typer.BadParameter, match="FRAMEFIND_TOKEN"):
            grant_access("127.0.0.1", 8000, (), True, ())


def test_a_server_of_all_addresses_needs_a_name():
    with pytest.raises(typer.BadParameter, match="--host-name"):
        grant_access("0.0.0.0", 8000, (), False, ())
    access = grant_access("0.0.0.0", 8000, ["nas.local"], False, [Path("/tmp/..")])
    assert write_address(access) == "http://nas.local:8000/"
    assert access.roots == ("/",)


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_addresses_of_version_6_stand_in_brackets(host):
    assert write_address(grant_access(host, 9, (), False, ())) == "http://[::1]:9/"
