"""verify and inspect: tokens of any issuer, by a file, a URL or discovery, and what is said without keys."""

import json
from typing import Any

import pytest

from tests.cli.stage import Stage
from tests.cli.strangers import NOW, Stranger
from tests.cli.verifying import BY_FILE, SET, STRANGER, both, checks, put
from tests.verifier.authority import Authority
from tests.verifier.hostile import JwksServer, Talk


@pytest.fixture
def nowhere(empty: Stage) -> Stage:
    """A folder without a store, with the set of a stranger."""
    put(empty.folder, STRANGER.jwks())
    return empty


# Tokens of any issuer.


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "PS256"])
def test_a_token_of_any_issuer_is_judged_by_a_file_of_its_keys(empty: Stage, alg: str) -> None:
    stranger = Stranger(issuer="accounts.example.net", alg=alg)
    put(empty.folder, stranger.jwks())
    asked = ("--issuer", stranger.issuer, "--jwks", SET, "--aud", "orders")
    verified, inspected = both(empty, *asked, token=stranger.token())
    assert (verified.code, json.loads(verified.out)) == (0, stranger.claims())
    assert (inspected.code, inspected.out.splitlines()[0]) == (0, "every check passed")
    assert sorted(path.name for path in empty.folder.iterdir()) == [SET]


def test_the_store_of_the_folder_has_no_say_about_an_issuer_that_was_named(stage: Stage) -> None:
    put(stage.folder, STRANGER.jwks())
    assert stage.jwturn("verify", *BY_FILE, stdin=STRANGER.token()).code == 0
    own = stage.jwturn("sign", "--claim", "sub=a", "--aud", "orders").out.encode()
    asked = ("--issuer", "https://auth.example.com", "--jwks", SET, "--aud", "orders")
    assert stage.jwturn("verify", *asked, stdin=own).code == 65


@pytest.mark.parametrize("named", [(), ("--jwks", "URL")])
def test_keys_are_fetched_by_discovery_or_from_a_url(empty: Stage, named: tuple[str, ...]) -> None:
    with JwksServer() as site:
        stranger = Stranger(issuer=site.issuer)
        site.body = stranger.jwks()
        jwks = [word.replace("URL", site.url) for word in named]
        asked = ("--issuer", site.issuer, *jwks, "--aud", "orders", "--loopback-http")
        verified, inspected = both(empty, *asked, token=stranger.token())
    assert (verified.code, inspected.code) == (0, 0)
    assert "warning: http to this machine is allowed" in verified.err
    words = f"1 key from {site.url}" if named else f"1 key of {site.issuer}, by discovery"
    assert f"ok    keys            {words}\n" in inspected.out


def test_an_authority_of_ones_own_is_trusted_through_the_environment(
    empty: Stage, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("authority")
    with JwksServer(tls=Authority(folder).serving()) as site:
        stranger = Stranger(issuer=site.issuer)
        site.body = stranger.jwks()
        asked = ("--issuer", site.issuer, "--aud", "orders")
        refused = empty.jwturn("verify", *asked, stdin=stranger.token())
        monkeypatch.setenv("SSL_CERT_FILE", str(next(folder.glob("*.pem"))))
        trusted = empty.jwturn("verify", *asked, stdin=stranger.token())
    assert (refused.code, trusted.code) == (69, 0)
    assert "SSL_CERT_FILE" in refused.err


def test_http_is_refused_unless_it_is_said_aloud(empty: Stage) -> None:
    with JwksServer() as site:
        verified, inspected = both(empty, "--issuer", site.issuer, "--aud", "orders", token=STRANGER.token())
        assert not site.requests
    assert (verified.code, inspected.code) == (65, 65)
    assert "--loopback-http" in verified.err


def test_a_name_that_looks_like_loopback_is_not(empty: Stage) -> None:
    asked = ("--issuer", "http://127.0.0.1.example.net", "--aud", "a", "--loopback-http")
    assert "is refused" in empty.jwturn("verify", *asked, stdin=STRANGER.token()).err


@pytest.mark.parametrize(
    ("claims", "asked", "code"),
    [
        ({"exp": NOW - 61, "iat": NOW - 600}, (), "expired"),
        ({"exp": NOW - 59, "iat": NOW - 600}, (), ""),
        ({"exp": NOW - 59, "iat": NOW - 600}, ("--leeway", "58s"), "expired"),
        ({"exp": NOW + 90_000}, (), "lifetime_too_long"),
        ({"exp": NOW + 90_000}, ("--token-ttl-max", "25h"), ""),
        ({"aud": "billing"}, (), "aud_wrong"),
        ({"aud": ["x", "orders"]}, (), ""),
        ({"aud": ...}, (), "aud_missing"),
        ({"iss": "https://accounts.example.net/"}, (), "iss_wrong"),
        ({}, ("--typ", "at+jwt"), "typ_refused"),
        ({}, ("--typ", "at+jwt", "--typ", "JWT"), ""),
        ({}, ("--alg", "ES384"), "alg_not_allowed"),
        ({}, ("--at", "2030-01-01T00:11:01Z"), "expired"),
        ({}, ("--at", "2029-12-31T23:58:00Z"), "iat_future"),
    ],
)
def test_both_verbs_judge_by_the_rules_that_were_given(
    nowhere: Stage, claims: dict[str, Any], asked: tuple[str, ...], code: str
) -> None:
    token = STRANGER.token(STRANGER.claims(**claims))
    verified = nowhere.jwturn("verify", "--json", *BY_FILE, *asked, stdin=token)
    told = checks(nowhere, *BY_FILE, *asked, token=token)[""]
    assert (told["code"], told["valid"], told["verdict"]) == (code, not code, "refused" if code else "passed")
    assert verified.code == (65 if code else 0)
    assert not code or json.loads(verified.err)["error"]["code"] == code


def test_verify_accepts_any_audience_only_if_it_is_said(nowhere: Stage) -> None:
    asked = BY_FILE[:4]
    assert nowhere.jwturn("verify", *asked, stdin=STRANGER.token()).code == 64
    assert nowhere.jwturn("verify", *asked, "--any-aud", stdin=STRANGER.token()).code == 0
    done = nowhere.jwturn("inspect", *asked, stdin=STRANGER.token())
    assert done.out.splitlines()[0] == "every check passed; no audience was asked for (--aud)"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("--aud", "a", "--any-aud"), "say one of them"),
        (("--leeway", "5s"), "goes with --issuer"),
        (("--token-ttl-max", "5m"), "goes with --issuer"),
        (("--loopback-http",), "goes with --issuer"),
        (("--alg", "es256"), "did you mean ES256?"),
        (("--alg", "none"), "there is no --alg 'none'"),
        (("--issuer", ""), "was a variable not set?"),
        (("--aud", ""), "was a variable not set?"),
        (("--jwks", ""), "was a variable not set?"),
        (("--typ", ""), "was a variable not set?"),
    ],
)
def test_options_that_mean_nothing_are_refused_before_anything_is_read(
    stage: Stage, asked: tuple[str, ...], words: str
) -> None:
    for done in both(stage, *asked, token=b""):
        assert (done.code, done.out) == (64, "")
        assert words in done.err


# Keys that are not there.


def test_without_keys_form_header_and_claims_are_explained_and_nothing_is_trusted(empty: Stage) -> None:
    verified, inspected = both(empty, token=STRANGER.token())
    assert verified.code == 65
    assert "--issuer URL" in verified.err
    assert inspected.code == 2
    assert inspected.out.splitlines()[:2] == [
        "not judged: there are no keys here",
        "hint: --issuer URL fetches the keys, --jwks FILE|URL names them",
    ]
    found = checks(empty, token=STRANGER.token())
    assert {name for name, check in found.items() if name and check["code"] == "not_checked"} == {
        "keys", "kid", "alg of the key", "signature", "iss",
    }  # fmt: skip
    assert found[""]["claims"] == STRANGER.claims()


def test_what_is_wrong_without_any_key_is_said_all_the_same(empty: Stage) -> None:
    token = STRANGER.token(STRANGER.claims(exp=NOW - 3600, iat=NOW - 7200))
    done = empty.jwturn("inspect", stdin=token)
    assert done.out.startswith(
        "refused: exp has passed, leeway included; exp is 2029-12-31 23:00:00 UTC (1h ago)"
    )


def test_the_issuer_that_a_token_names_passes_for_nothing(nowhere: Stage) -> None:
    found = checks(nowhere, "--jwks", SET, "--aud", "orders", token=STRANGER.token())
    assert [name for name, check in found.items() if name and not check["passed"]] == ["iss"]
    assert (found[""]["verdict"], found[""]["valid"]) == ("not_judged", False)
    assert nowhere.jwturn("verify", "--jwks", SET, "--aud", "orders", stdin=STRANGER.token()).code == 64


def test_keys_that_cannot_be_fetched_are_not_the_tokens_fault(empty: Stage) -> None:
    with JwksServer() as site:
        pass
    asked = ("--issuer", site.issuer, "--aud", "orders", "--loopback-http")
    verified, inspected = both(empty, *asked, token=STRANGER.token())
    assert (verified.code, inspected.code) == (69, 69)
    assert inspected.out.startswith(f"not judged: no usable keys of {site.issuer}: ")
    assert "--jwks FILE" in verified.err
    found = checks(empty, *asked, token=STRANGER.token())
    assert found["keys"]["code"] == "fetch_connection"
    assert (found["signature"]["code"], found["exp"]["passed"]) == ("not_checked", True)
    assert (found[""]["code"], found[""]["valid"]) == ("keys_unavailable", False)


def test_an_issuer_that_only_the_token_names_is_in_no_error(empty: Stage) -> None:
    with JwksServer() as site:
        pass
    wild = STRANGER.token(STRANGER.claims(iss="\x1b[2J" + "x" * 3000))
    done = empty.jwturn("inspect", "--jwks", site.url, "--loopback-http", stdin=wild)
    assert done.code == 69
    assert done.out.startswith(f"not judged: {site.url}: no connection was made")
    assert max(map(len, done.out.splitlines())) < 250


def unwell(status: int, content_type: str, body: bytes) -> Any:
    def act(talk: Talk) -> None:
        talk.reply(status, {"Content-Type": content_type}, body)

    return act


@pytest.mark.parametrize(
    ("act", "code", "hint"),
    [
        (unwell(503, "application/json", b"{}"), "fetch_status", "--jwks FILE"),
        (unwell(200, "text/html", b"<h1>Log in</h1>"), "fetch_type", "--jwks FILE"),
        (unwell(404, "text/html", b""), "discovery_absent", "--jwks URL"),
        (unwell(302, "text/html", b""), "fetch_redirect", "--jwks URL"),
        (unwell(200, "application/json", b"{}"), "discovery_malformed", "--jwks URL"),
        (
            unwell(200, "application/json", b'{"issuer":"\\u001b[2J","jwks_uri":"x"}'),
            "discovery_issuer",
            "spell",
        ),
    ],
)
def test_why_the_keys_could_not_be_had_is_explained(empty: Stage, act: Any, code: str, hint: str) -> None:
    with JwksServer() as site:
        site.answer = act
        asked = ("--issuer", site.issuer, "--aud", "orders", "--loopback-http")
        told = checks(empty, *asked, token=STRANGER.token())
        inspected = empty.jwturn("inspect", *asked, stdin=STRANGER.token())
    assert (told["keys"]["code"], told["keys"]["passed"]) == (code, False)
    assert hint in told[""]["hint"]
    assert (inspected.code, "\x1b" in inspected.out) == (69, False)


def test_a_token_that_no_key_makes_good_costs_no_fetch(empty: Stage) -> None:
    with JwksServer() as site:
        asked = ("--issuer", site.issuer, "--aud", "orders", "--loopback-http", "--typ", "at+jwt")
        found = checks(empty, *asked, token=STRANGER.token())
        assert not site.requests
    assert (found[""]["code"], found["kid"]["code"]) == ("typ_refused", "not_checked")


def test_a_kid_that_the_set_has_not_is_told_from_one_that_may_not_be_used(empty: Stage) -> None:
    rsa = Stranger(alg="RS256", kid="silent")
    put(empty.folder, STRANGER.jwks(rsa.jwk(alg=...)))
    asked = BY_FILE
    unknown = checks(empty, *asked, token=STRANGER.token(kid="gone"))
    assert "no key of this issuer has this kid" in unknown["kid"]["words"]
    verified = empty.jwturn("verify", *asked, stdin=rsa.token())
    told = checks(empty, *asked, token=rsa.token())
    assert "the set has kid 'silent', but not to be used: " in told["kid"]["words"]
    assert "not used: 'silent' (jwk_unknown_alg)" in told["keys"]["words"]
    assert "--alg RS256" in told[""]["hint"]
    assert "--alg RS256" in checks(empty, "--jwks", SET, token=rsa.token())[""]["hint"]
    assert (verified.code, "--alg RS256" in verified.err) == (65, True)
    assert empty.jwturn("verify", *asked, "--alg", "RS256", stdin=rsa.token()).code == 0


def test_a_private_half_in_a_set_is_an_alarm(nowhere: Stage) -> None:
    put(nowhere.folder, STRANGER.jwks(Stranger(kid="public-by-mistake").jwk(d="AAAA")))
    done = nowhere.jwturn("verify", *BY_FILE, stdin=STRANGER.token())
    assert done.code == 0
    assert "warning: key 'public-by-mistake' of the set is refused: the key has private members" in done.err


def test_a_set_without_a_usable_key_is_an_error_of_whoever_named_it(nowhere: Stage) -> None:
    (nowhere.folder / SET).write_text('{"keys":[]}')
    for done in both(nowhere, *BY_FILE, token=STRANGER.token()):
        assert (done.code, "the set holds no usable key" in done.err) == (65, True)
