"""init asks the issuer whether it serves keys: one that answers has verifiers, so no key skips its lead."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from jwturn.cli import probe
from tests.cli.stage import Stage


@contextmanager
def issuer(statuses: dict[str, int]) -> Iterator[str]:
    """A server that answers these paths with these statuses, and everything else with 404."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses.get(self.path, 404))
            self.send_header("location", "/.well-known/jwks.json")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


JWKS, DISCOVERY = probe.PATHS


@pytest.mark.parametrize(
    ("statuses", "served"),
    [
        ({JWKS: 200}, True),
        ({DISCOVERY: 200}, True),
        ({JWKS: 503}, True),
        ({JWKS: 302}, True),
        ({}, False),
        ({JWKS: 410, DISCOVERY: 404}, False),
    ],
)
def test_an_issuer_is_served_when_it_answers_anything_but_absence(
    statuses: dict[str, int], served: bool
) -> None:
    with issuer(statuses) as url:
        assert probe.answers(url) is served
        assert probe.answers(f"{url}/") is served


def test_an_issuer_with_a_path_is_asked_below_it() -> None:
    with issuer({f"/tenant{JWKS}": 200}) as url:
        assert probe.answers(f"{url}/tenant") is True
        assert probe.answers(url) is False


def test_an_issuer_that_is_not_reached_is_unknown() -> None:
    with issuer({}) as url:
        pass
    assert probe.answers(url) is None


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://auth.example.com", True),
        ("http://127.0.0.1:8470", True),
        ("http://localhost", True),
        ("http://[::1]:1", True),
        ("http://auth.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("ftp://127.0.0.1", False),
    ],
)
def test_only_https_and_this_machine_are_asked(url: str, allowed: bool) -> None:
    assert probe.may_ask(url) is allowed


def test_the_first_key_of_an_issuer_that_answers_waits_its_lead(empty: Stage) -> None:
    with issuer({JWKS: 200}) as url:
        done = empty.jwturn("init", "--issuer", url, "--set", "verifiers=jose")
    assert done.code == 0
    assert "answers already" in done.err
    assert "active" not in done.out
    assert "may sign in 50m 6s" in done.out
    assert empty.jwturn("sign", "--claim", "sub=a").code == 69


def test_the_first_key_of_an_issuer_that_serves_nothing_signs_at_once(empty: Stage) -> None:
    with issuer({}) as url:
        assert empty.jwturn("init", "--issuer", url).code == 0
    assert empty.jwturn("sign", "--claim", "sub=a").code == 0


def test_existing_says_so_without_asking(empty: Stage) -> None:
    empty.init("--existing")
    assert empty.jwturn("sign", "--claim", "sub=a").code == 69


def test_an_issuer_without_tls_is_not_asked_and_a_warning_says_so(empty: Stage) -> None:
    done = empty.jwturn("init", "--issuer", "http://auth.example.com")
    assert done.code == 0
    assert "was not asked" in done.err
    assert "--existing" in done.err


def test_settings_that_are_there_are_kept_and_used(empty: Stage) -> None:
    text = '[store]\nkek = "file:keys/kek"\n[service]\nring = "shop"\n[rings.shop]\nrotate_every = "30d"\n'
    (empty.folder / "jwturn.toml").write_text(text)
    empty.init("--issuer", "https://auth.example.com")
    assert (empty.folder / "jwturn.toml").read_text() == text
    assert (empty.folder / "keys/kek").stat().st_mode & 0o777 == 0o600
    out = empty.jwturn("status").out
    assert out.startswith("ring shop: https://auth.example.com, turns every 30d\n")


def test_a_kek_given_to_init_is_written_to_the_settings(empty: Stage) -> None:
    (empty.folder / "pass").write_text("correct horse battery staple\n")
    (empty.folder / "pass").chmod(0o600)
    done = empty.init("--kek", "passphrase:pass")
    assert "KEK from a passphrase: without it nothing opens" in done.err
    assert 'kek = "passphrase:pass"' in (empty.folder / "jwturn.toml").read_text()
    assert empty.jwturn("status").code == 0
    (empty.folder / "pass").write_text("another horse battery staple\n")
    wrong = empty.jwturn("status")
    assert (wrong.code, "it needs" in wrong.err) == (77, True)


def test_no_private_half_lies_readable_in_the_folder(empty: Stage) -> None:
    empty.init("--alg", "EdDSA")
    loud = ("export", "--private", "--format", "jwk", "--i-want-the-private-key", "--unencrypted")
    private = empty.jwturn(*loud, "--reason", "canary").out.partition('"d":"')[2].partition('"')[0]
    assert len(private) == 43
    files = [path for path in empty.folder.rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert [path for path in files if private.encode() in path.read_bytes()] == []
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
