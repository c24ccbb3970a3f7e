"""The way to the issuer, in both colours: names, addresses, proxies, authorities; and what is left behind."""

import asyncio
import contextlib
import gc
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from jwturn.core.errors import BadInput, ConfigError, KeysUnavailable
from jwturn.core.jwks_answer import Get
from jwturn.verifier.fetch import UrllibFetch
from jwturn.verifier.fetch_async import HttpxFetch
from tests.verifier import acts
from tests.verifier.authority import Authority
from tests.verifier.colours import AMPLE, COLOURS, SHORT, Ask
from tests.verifier.hostile import JwksServer, Talk

BODY = b'{"keys":[]}'
HOST = "auth.example.com"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(params=COLOURS)
def ask(request: pytest.FixtureRequest) -> Ask:
    return COLOURS[request.param]


@pytest.fixture
def site() -> Iterator[JwksServer]:
    with JwksServer(BODY) as site:
        yield site


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def issuer(authority: Authority) -> Iterator[JwksServer]:
    """A site that is the issuer's by its certificate."""
    with JwksServer(BODY, tls=authority.serving([HOST])) as site:
        yield site


def code_of(ask: Ask, url: str, tls: ssl.SSLContext | None = None, deadline: timedelta = AMPLE) -> str:
    with pytest.raises(KeysUnavailable) as caught:
        ask(Get(url), tls, deadline)
    return caught.value.code


class Names:
    """What a name resolves to; None is no answer until `released`, and `waited` says that it came."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.known: dict[str, list[tuple[str, int]] | None] = {}
        self.released = threading.Event()
        self.waited = False
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: str | bytes, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in self.known:
            return self._real(host, *args, **kwargs)
        if (found := self.known[name]) is None:
            self.released.wait(30)
            self.waited = True
            found = []
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in found]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    made = Names(monkeypatch)
    yield made
    made.released.set()


def test_the_name_of_the_issuer_is_what_its_certificate_must_show(
    ask: Ask, authority: Authority, issuer: JwksServer, names: Names
) -> None:
    names.known[HOST] = names.known["evil.example.com"] = [("127.0.0.1", issuer.port)]
    trusted = authority.trusting()
    assert ask(Get(f"https://{HOST}:{issuer.port}/jwks.json"), trusted, AMPLE).body == BODY
    assert code_of(ask, f"https://evil.example.com:{issuer.port}/", trusted) == "fetch_tls"


def test_a_name_that_does_not_exist(ask: Ask, names: Names) -> None:
    names.known[HOST] = []
    assert code_of(ask, f"https://{HOST}/") == "fetch_connection"


def test_the_deadline_is_also_for_the_look_up_of_the_name(names: Names) -> None:
    names.known[HOST] = None
    assert code_of(COLOURS["thread"], f"https://{HOST}/", deadline=SHORT) == "fetch_timeout"
    assert not names.waited


def test_the_deadline_of_a_task_is_also_for_the_look_up_of_the_name(names: Names) -> None:
    names.known[HOST] = None

    async def look_up() -> str:
        with pytest.raises(KeysUnavailable) as caught:
            await HttpxFetch().get(Get(f"https://{HOST}/"), deadline=SHORT)
        assert not names.waited
        names.released.set()
        return caught.value.code

    assert asyncio.run(look_up()) == "fetch_timeout"


@pytest.mark.parametrize("first", ["refuses", "never answers"])
def test_an_address_that_is_dead_leaves_time_for_the_next(
    ask: Ask, site: JwksServer, names: Names, first: str
) -> None:
    with contextlib.ExitStack() as open_:
        dead = open_.enter_context(socket.socket())
        dead.bind(("127.0.0.2", site.port))
        if first == "never answers":
            dead.listen(0)
            for _ in range(3):  # a full backlog: the next SYN gets no answer
                filler = open_.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(dead.getsockname())
        names.known[HOST] = [dead.getsockname(), ("127.0.0.1", site.port)]
        answer = ask(Get(f"http://{HOST}:{site.port}/jwks.json"), None, timedelta(seconds=2))
    assert answer.body == BODY


def tunnel(talk: Talk) -> None:
    """A proxy that connects where it is asked to."""
    host, _, port = talk.path.rpartition(":")
    with socket.create_connection((host, int(port))) as there:
        talk.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        back = threading.Thread(target=relay, args=(there, talk.sock), daemon=True)
        back.start()
        relay(talk.sock, there)
        back.join(30)


def relay(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := one.recv(4096):
            other.sendall(piece)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)


def test_a_proxy_of_the_environment_is_used(
    ask: Ask, authority: Authority, site: JwksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.answer = tunnel
    monkeypatch.setenv("HTTPS_PROXY", site.issuer)
    with JwksServer(BODY, tls=authority.serving()) as issuer:
        assert ask(Get(issuer.url), authority.trusting(), AMPLE).body == BODY
        assert site.requests == {f"127.0.0.1:{issuer.port}": 1}
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert ask(Get(issuer.url), authority.trusting(), AMPLE).body == BODY
    assert site.requests.total() == 1
    assert site.is_left()


def test_a_proxy_that_refuses_drips_or_floods_is_left(
    ask: Ask, site: JwksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", site.issuer)
    site.answer = lambda talk: talk.reply(407, {})
    assert code_of(ask, f"https://{HOST}/") == "fetch_connection"
    site.answer = acts.SLOW["slow headers"].act
    assert code_of(ask, f"https://{HOST}/", deadline=SHORT) == "fetch_timeout"
    site.answer = acts.HUGE["a header without end"].act
    assert code_of(ask, f"https://{HOST}/") == "fetch_malformed"
    assert site.is_left()


def test_what_is_asked_of_this_machine_goes_through_no_proxy(
    ask: Ask, site: JwksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else http, which is for loopback only, would cross the network in clear."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert ask(Get(site.url), None, AMPLE).body == BODY


def test_a_context_that_checks_no_names_is_refused() -> None:
    careless = ssl.create_default_context()
    careless.check_hostname = False
    for fetch in (UrllibFetch, HttpxFetch):
        with pytest.raises(BadInput) as caught:
            fetch(careless)
        assert caught.value.code == "tls_unchecked"


def test_what_somebody_made_urllib_s_default_is_not_ours(
    ask: Ask, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssl, "_create_default_https_context", ssl._create_unverified_context)
    with JwksServer(BODY, tls=authority.serving()) as issuer:
        assert code_of(ask, issuer.url) == "fetch_tls"


def test_other_schemes_are_not_opened(ask: Ask) -> None:
    for url in ("file:///etc/hostname", "ftp://127.0.0.1/", "data:application/json,%7B%7D"):
        assert code_of(ask, url).startswith("fetch_")


@pytest.mark.parametrize("phase", ["never a handshake", "never a word", "slow body"])
def test_a_call_that_is_cancelled_closes_its_connection(authority: Authority, phase: str) -> None:
    async def cancelled(site: JwksServer) -> None:
        call = asyncio.create_task(HttpxFetch(authority.trusting()).get(Get(site.url), deadline=AMPLE))
        await asyncio.to_thread(begun.wait, 30)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    begun = threading.Event()

    def act(talk: Talk) -> None:
        begun.set()
        (acts.SLOW | acts.SLOW_GREETINGS)[phase].act(talk)

    with JwksServer(tls=authority.serving()) as site:
        site.greeting = act if phase == "never a handshake" else None
        site.answer = act
        asyncio.run(cancelled(site))
        assert site.is_left()
        assert not site.talks[0].outlasted


def test_a_fetch_belongs_to_no_event_loop(site: JwksServer) -> None:
    fetch = HttpxFetch()
    for _ in range(2):
        assert asyncio.run(fetch.get(Get(site.url), deadline=AMPLE)).body == BODY
    assert site.requests.total() == 2


def test_no_socket_or_thread_is_left_behind(ask: Ask, site: JwksServer) -> None:
    """Unclosed sockets are errors of these tests (ResourceWarning), once they are collected."""
    before = {thread.name for thread in threading.enumerate()}
    for act in (None, acts.BROKEN["closed in the body"].act, acts.WRONG["not here"].act):
        site.answer = act
        with contextlib.suppress(KeysUnavailable):
            ask(Get(site.url), None, AMPLE)
    assert site.is_left()
    gc.collect()
    left = {thread.name for thread in threading.enumerate()} - before
    assert not {name for name in left if name.startswith(("jwturn", "asyncio"))}


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("fetch", {"urllib.request", "http", "http.client", "ssl", "email", "socket", "httpx2"}),
        ("fetch_async", {"urllib.request", "http.client", "httpx2"}),
    ],
)
def test_nothing_of_the_network_is_loaded_before_it_is_used(module: str, heavy: set[str]) -> None:
    code = f"import sys, jwturn.verifier.{module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert f"jwturn.verifier.{module}" in loaded
    assert loaded & heavy == set()


def test_a_missing_client_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(ConfigError) as caught:
        HttpxFetch()
    assert (caught.value.code, caught.value.hint) == ("missing_extra", "pip install 'jwturn[async]'")
