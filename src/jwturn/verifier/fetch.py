"""Fetch for threads, on urllib.

Importing this file loads neither urllib.request nor ssl: a verifier that is handed its set never needs them.
"""

import os
import threading
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from jwturn.core.errors import BadInput
from jwturn.core.jwks_answer import Answer, Get
from jwturn.core.version import VERSION

if TYPE_CHECKING:
    import ssl


class UrllibFetch:
    """Asks by urllib: `HTTPS_PROXY` and `NO_PROXY` count as they do there, http (loopback) knows no proxy.

    `tls` replaces the system's authorities; one that checks no host names raises BadInput `tls_unchecked`.
    """

    def __init__(self, tls: "ssl.SSLContext | None" = None) -> None:
        self._tls = checked(tls)

    def get(self, get: Get, *, deadline: timedelta) -> Answer:
        """The answer (ports/fetch.py); `deadline` holds for all of it, the name's look-up too."""
        with _beginning():
            from jwturn.verifier import wire

            if self._tls is None:
                self._tls = wire.system_tls()
        return wire.ask(get, tls=self._tls, deadline=deadline)


@cache
def _beginning() -> "threading.RLock":
    """Held while modules and authorities are loaded, and a fork waits for that.

    Its child would have half a module for ever, or a lock of OpenSSL that nobody there lets go.
    """
    lock = threading.RLock()
    os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock


def checked(tls: "ssl.SSLContext | None") -> "ssl.SSLContext | None":
    """The context, if it checks whose certificate it is shown."""
    if tls is not None and not tls.check_hostname:
        raise BadInput(
            "this ssl.SSLContext does not check host names, so anybody could answer for the issuer",
            code="tls_unchecked",
            hint="ssl.create_default_context(cafile=...) trusts an authority of your own",
        )
    return tls


def request_headers(get: Get) -> dict[str, str]:
    """What every GET of ours says."""
    headers = {
        "Accept": "application/jwk-set+json, application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": f"jwturn/{VERSION}",
    }
    return headers if get.etag is None else {**headers, "If-None-Match": get.etag}
