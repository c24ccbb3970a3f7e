"""`jwturn serve` as a newcomer meets it: one command, a URL, a token, a line that signs as it is printed."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jwturn.cli.main import run
from tests.cli.stage import Stage, Stream, in_place

RUN = "import sys; from jwturn.cli.main import main; sys.exit(main())"


@dataclass
class Service:
    """A service that runs, and the lines it printed until it was ready."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)

    def line(self, word: str) -> str:
        """What stands behind the word that begins a line."""
        found = [line.removeprefix(word).strip() for line in self.lines if line.startswith(f"{word} ")]
        assert len(found) == 1, self.lines
        return found[0]


@contextmanager
def served(folder: Path, *arguments: str, lines: int) -> Iterator[Service]:
    """`jwturn serve` in a process of its own, ended by SIGTERM; it must end well."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("JWTURN_")}
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", RUN, "serve", "--port", "0", *arguments],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Service(process, [process.stdout.readline() for _ in range(lines)])
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()


def shell(line: str) -> str:
    """What a shell prints for a line."""
    environ = {**os.environ, "no_proxy": "*"}
    if shutil.which("curl") is None:
        stand_in = Path(__file__).parents[1] / "docs" / "curl.py"
        line = f'curl() {{ "{sys.executable}" "{stand_in}" "$@"; }}; {line}'
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, timeout=30, env=environ, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def kids_at(url: str) -> set[str]:
    """The kids of the set at a URL."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
        return {key["kid"] for key in json.load(answer)["keys"]}


def test_the_first_start_makes_everything_and_its_curl_line_signs_as_printed(tmp_path: Path) -> None:
    with served(tmp_path, "--init", lines=4) as service:
        kids = kids_at(service.line("JWKS"))
        assert service.lines[-2] == "sign with this line:\n"
        answer = json.loads(shell(service.lines[-1]))
        assert Stage(tmp_path).kids() != []
    assert answer["kid"] in kids
    assert (tmp_path / "jwturn.toml").exists()
    with in_place(tmp_path, Stream(answer["token"].encode()), out := Stream(), Stream()):
        assert run(["verify", "--json"]) == 0
    assert json.loads(out.text())["claims"]["sub"] == "alice"


def test_a_second_start_continues_the_ring_and_makes_no_second_token(tmp_path: Path) -> None:
    with served(tmp_path, "--init", lines=4) as first:
        before = kids_at(first.line("JWKS"))
        token = re.findall(r"jwturn_[\w-]{43}", first.line("token"))[0]
    with served(tmp_path, "--init", lines=2) as second:
        assert kids_at(second.line("JWKS")) == before
        assert "jwturn token new NAME" in second.line("token")
        assert token not in "".join(second.lines)
    with in_place(tmp_path, Stream(), out := Stream(), Stream()):
        assert run(["token", "list", "--json"]) == 0
    assert [(t["name"], t["role"]) for t in json.loads(out.text())["tokens"]] == [("first", "signer")]
    assert token not in "".join(
        path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()
    )


def test_a_port_in_use_is_said_before_a_token_is_made(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = stage.jwturn("serve", "--init", "--port", str(port))
    assert (done.code, done.out) == (69, "")
    assert f"port {port} on 127.0.0.1 is in use" in done.err
    assert f"hint:  --port {port + 1}" in done.err
    assert "no API token" in stage.jwturn("token", "list").out


def test_other_machines_are_not_served_in_the_clear(stage: Stage) -> None:
    done = stage.jwturn("serve", "--host", "0.0.0.0")
    assert (done.code, done.out) == (65, "")
    assert "insecure_bind" in done.err


def test_serve_without_a_store_says_init(empty: Stage) -> None:
    done = empty.jwturn("serve")
    assert done.code == 65
    assert "hint:  jwturn serve --init makes one" in done.err
    assert list(empty.folder.iterdir()) == []


def test_a_missing_extra_says_how_to_get_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("jwturn.server", "uvicorn"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = stage.jwturn("serve")
    assert done.code == 65
    assert "the service needs uvicorn, which is not installed" in done.err
    assert "pip install 'jwturn[server]'" in done.err
