"""Which URLs may be fetched at all: https, one reading of the host, http on loopback where it is allowed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core.errors import BadInput
from jwturn.core.jwks_answer import URL_CHARS_MAX, check_url, origin_of

ISSUER = "https://auth.example.com"
URL = f"{ISSUER}/jwks.json"


def refused(url: str, **options: Any) -> str:
    with pytest.raises(BadInput) as caught:
        check_url(url, **options)
    assert caught.value.code == "url_refused"
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://auth.example.com",
        "https://auth.example.com:8443/a/b?policy=c&d=%20",
        "https://AUTH.example.com/jwks",
        "https://my_host/jwks",
        "https://10.0.0.1/jwks",
        "https://[2001:db8::1]:444/jwks",
    ],
)
def test_https_urls_may_be_fetched(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "jwks.json",
        "//auth.example.com/jwks",
        "ftp://auth.example.com/jwks",
        "file:///etc/passwd",
        "data:application/json,{}",
        "javascript:alert(1)",
        "https:auth.example.com",
        "https:///jwks",
        "https://",
        "https://:443/",
        "https://user@auth.example.com/",
        "https://user:word@auth.example.com/",
        "https://@auth.example.com/",
        "https://auth.example.com/#fragment",
        "https://auth.example.com/#",
        "https://auth.example.com\\@evil.example.com/",
        "https://auth.example.com\t/",
        "https://auth.example.com/\r\nHost: evil",
        "https://auth.example.com/a b",
        " https://auth.example.com/",
        "https://auth.example.com/\x00",
        "https://auth.example.com/\u00e9",
        "https://\uff41uth.example.com/",
        "https://auth.example.com:0/",
        "https://auth.example.com:65536/",
        "https://auth.example.com:x/",
        "https://auth.example.com:-1/",
        "https://auth..example.com/",
        "https://%61uth.example.com/",
        "https://[::1/",
        "https://[::1%25eth0]/",
        "https://[v1.x]/",
        "https://(auth)/",
        f"https://auth.example.com/{'a' * URL_CHARS_MAX}",
    ],
)
def test_strange_urls_are_refused(url: str) -> None:
    for loopback_http in (False, True):
        refused(url, loopback_http=loopback_http)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "[::1]", "localhost", "LOCALHOST"])
def test_http_is_for_loopback_and_only_where_it_is_allowed(host: str) -> None:
    url = f"http://{host}:8000/jwks.json"
    assert check_url(url, loopback_http=True) == url
    refused(url)


@pytest.mark.parametrize(
    "host",
    [
        *("auth.example.com", "10.0.0.1", "0.0.0.0", "[::]", "169.254.169.254", "localhost.example.com"),
        *("127.0.0.1.example.com", "127.1", "2130706433", "0x7f.0.0.1", "[::ffff:10.0.0.1]"),
    ],
)
def test_http_to_other_hosts_is_refused_though_loopback_is_allowed(host: str) -> None:
    refused(f"http://{host}/jwks", loopback_http=True)


def test_a_url_must_be_on_one_of_the_hosts_that_are_named() -> None:
    hosts = {origin_of(ISSUER)}
    for same in (URL, "https://auth.example.com:443/x", "https://AUTH.EXAMPLE.COM/x"):
        assert check_url(same, hosts=hosts) == same
    for other in (
        "https://auth.example.com:8443/",
        "https://evil.example.com/",
        "https://auth.example.com.evil.com/",
        "https://auth.example.com./",
        "http://auth.example.com:443/",
    ):
        refused(other, hosts=hosts)


def test_origins_are_spelled_in_one_way() -> None:
    assert origin_of("HTTPS://Auth.Example.com/x?y") == "https://auth.example.com:443"
    assert origin_of("http://[::1]/") == "http://[::1]:80"
    assert origin_of("https://[2001:DB8:0::1]:8443") == "https://[2001:db8::1]:8443"


@given(st.text(max_size=60) | st.text("htps:/@#?[].1a\\%", max_size=60).map(lambda tail: f"https://{tail}"))
def test_a_url_is_taken_or_refused_whatever_it_is(url: str) -> None:
    try:
        assert check_url(url) == url
    except BadInput as refused:
        assert refused.code == "url_refused"
        assert refused.message.isprintable()
    else:
        assert url.isascii()
        assert url.isprintable()
        assert origin_of(url).startswith("https://")


def test_the_words_of_a_refusal_hold_no_query() -> None:
    assert "hunter2" not in refused("http://auth.example.com/jwks?api_key=hunter2")
