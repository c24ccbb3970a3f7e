"""The benchmark measures what it says; how long anything takes is never asserted."""

import os
import subprocess
import sys
import warnings

import pytest
from cryptography.exceptions import InvalidSignature

from bench import __main__ as command
from bench import contenders, imports, libraries, service, tokens
from bench.contenders import NAMES, contender
from jwturn.compose import create_app
from jwturn.core.errors import TokenRefused
from jwturn.crypto.generate import generate
from jwturn.settings import load


def test_each_algorithm_has_its_three_rows(tmp_path):
    rows = tokens.measure(tmp_path, rounds=1, algs=("HS256", "ES256"))
    assert [(row.alg, row.what) for row in rows] == [
        (alg, what) for alg in ("HS256", "ES256") for what in ("sign", "verify", "sign, granted")
    ]
    assert all(row.raw > 0 and row.ours > 0 for row in rows)
    assert {row.what: row.budget for row in rows} == {"sign": 4.0, "verify": 5.0, "sign, granted": None}


@pytest.mark.parametrize("alg", tokens.ALGS)
def test_the_raw_primitive_signs_and_verifies(alg):
    sign, verify = tokens.raw(generate(alg, rsa_bits=2048))
    signature = sign(b"data")
    assert verify(b"data", signature) is not False
    if alg == "HS256":
        assert verify(b"other", signature) is False
    else:
        with pytest.raises(InvalidSignature):
            verify(b"other", signature)


def test_what_is_measured_makes_every_check(tmp_path):
    located = {"JWTURN_STORE__URI": "memory:", "JWTURN_STORE__KEK": f"file:{tmp_path / 'kek'}"}
    app = create_app(load(located, cwd=tmp_path))
    try:
        paths = tokens.paths("ES256", app)
        token = paths.sign({"sub": "a"})
        assert paths.verify(token)["sub"] == "a"
        with pytest.raises(TokenRefused):
            paths.verify(paths.granted({"sub": "a"}))
        with pytest.raises(TokenRefused):
            paths.verify(token[:-4] + "AAAA")
    finally:
        app.close()


HERE = ("jwturn", "PyJWT", "joserfc", "jwcrypto")


@pytest.fixture
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("alg", libraries.ALGS)
def test_every_library_verifies_what_every_library_signs(alg):
    pair = generate(alg, rsa_bits=2048)
    found = [one for name in NAMES if (one := contender(name, alg, pair)) is not None]
    assert len(found) >= len(HERE)
    for signing in found:
        token = signing.sign({"sub": "alice"})
        for verifying in found:
            claims = verifying.verify(token)
            assert "alice" in (claims if isinstance(claims, str) else claims.values())


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", HERE)
def test_every_library_checks_the_signature_the_issuer_the_audience_and_the_end(name, monkeypatch):
    pair = generate("ES256")
    ours, one = contender("jwturn", "ES256", pair), contender(name, "ES256", pair)
    assert ours is not None
    assert one is not None
    refused = [ours.sign({"sub": "alice"})[:-4] + "AAAA"]
    for changed in ("ISSUER", "AUDIENCE"):
        with monkeypatch.context() as patch:
            patch.setattr(contenders, changed, "https://another.example")
            refused.append(ours.sign({"sub": "alice"}))
    with monkeypatch.context() as patch:
        patch.setattr("bench.contenders.time.time", lambda: 1_000_000_000.0)
        refused.append(ours.sign({"sub": "alice"}))
    for token in refused:
        with pytest.raises(Exception, match=r"\w"):
            one.verify(token)


def test_a_library_that_is_not_installed_is_left_out():
    assert contender("python-jose", "EdDSA", generate("EdDSA")) is None


@pytest.mark.usefixtures("quiet")
def test_libraries_have_a_line_each_and_the_primitive_has_its_own():
    lines = libraries.measure(rounds=1, algs=("ES256",), names=HERE)
    assert {(line.what, line.library) for line in lines} == {
        (what, name) for what in ("sign", "verify") for name in (*HERE, "raw")
    }
    assert all(line.total > 0 for line in lines)
    heads, rows = command._side([line for line in lines if line.what == "sign"])
    assert heads == ("LIBRARY", "ES256")
    assert [row[0] for row in rows] == ["raw", *HERE]


@pytest.mark.usefixtures("quiet")
def test_repeated_tokens_are_as_long_as_said_and_threads_share_their_tokens():
    (repeated,) = libraries.measure_repeated(rounds=1, algs=("ES256",))
    assert 600 <= repeated.characters <= 900
    (rates,) = libraries.measure_threads(seconds=0.001, algs=("ES256",), names=("jwturn",))
    assert rates.one > 0
    assert rates.two > 0


def test_tokens_are_fresh_objects_with_the_same_text():
    tokens_ = ["a" * 600]
    (fresh,) = libraries._fresh(tokens_)
    assert fresh == tokens_[0]
    assert fresh is not tokens_[0]


def test_tables_become_markdown():
    text = command._markdown(("ALG", "OVER"), [("ES256", "1.0"), ("EdDSA", "2.0")])
    assert text == "| alg | over |\n| --- | ---: |\n| ES256 | 1.0 |\n| EdDSA | 2.0 |"


def test_the_service_answers_each_kind_of_request(tmp_path):
    rates = service.measure(tmp_path, seconds=0.05)
    assert [(rate.what, rate.items) for rate in rates] == [
        ("sign", 1),
        ("sign, batch of 100", 100),
        ("JWKS 200", 1),
        ("JWKS 304", 1),
    ]
    assert all(rate.per_second > 0 and rate.cpu_micros >= 0 for rate in rates)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", False),
        (b"HTTP/1.1 200 OK\r\ncontent-le", False),
    ],
)
def test_an_answer_is_counted_once_it_is_whole(text, whole):
    assert service._whole(bytearray(text), 200) is whole


def test_an_answer_of_another_status_ends_the_measurement():
    with pytest.raises(AssertionError, match="503"):
        service._whole(bytearray(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"), 200)


def test_a_start_is_measured_beyond_the_interpreter(tmp_path):
    starts = imports.measure(tmp_path, rounds=1)
    assert [one.what for one in starts] == [
        "import jwturn",
        "from jwturn import Verifier",
        "jwturn --version",
        "jwturn status",
    ]
    assert len({one.interpreter for one in starts}) == 1
    assert (tmp_path / "jwturn.toml").exists()


def test_a_start_that_fails_is_no_measurement(tmp_path):
    with pytest.raises(AssertionError, match="no_such"):
        imports._run(["-c", "import no_such"], tmp_path, dict(os.environ))


def test_the_command_line_names_its_options():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--help"], capture_output=True, text=True, check=True
    )
    assert "--json" in done.stdout
    assert "--markdown" in done.stdout
    assert "--quick" in done.stdout
