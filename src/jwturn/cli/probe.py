"""Whether an issuer answers already: then somebody may hold an older set of it, and no key skips its lead."""

import threading
from typing import Final
from urllib.parse import urlsplit

TOTAL_SECONDS: Final = 5.0
PATHS: Final = ("/.well-known/jwks.json", "/.well-known/openid-configuration")
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
ABSENT: Final = frozenset({404, 410})


def may_ask(issuer: str) -> bool:
    """Whether the issuer may be asked: https, or http on this machine."""
    parts = urlsplit(issuer)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def answers(issuer: str) -> bool | None:
    """Whether the issuer serves a JWKS or its metadata; None where it was not reached within 5 s in all.

    An answer other than "there is none" counts: a server that is ill today may have served a set yesterday.
    """
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.extend(_statuses(issuer)), daemon=True)
    thread.start()
    thread.join(TOTAL_SECONDS)
    return any(found) if found else None


def _statuses(issuer: str) -> list[bool]:
    import http.client

    parts, served = urlsplit(issuer), []
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    for path in PATHS:
        try:
            connection = kind(parts.hostname or "", parts.port, timeout=TOTAL_SECONDS)
            connection.request("GET", parts.path.rstrip("/") + path)
            served.append(connection.getresponse().status not in ABSENT)
            connection.close()
        except (OSError, http.client.HTTPException, ValueError):
            continue
    return served
