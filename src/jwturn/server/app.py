"""The ASGI app. The hot paths (JWKS, sign) are answered ahead of the router.

The rest stands on Starlette's routes.

One place turns what went wrong into an answer: errors of the tree are problems (RFC 9457), a defect is a
500 that says nothing of itself, and storage that can no longer be believed ends the process.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from time import perf_counter
from typing import Final

import structlog
from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.routing import Route as StarletteRoute
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from jwturn.compose import App
from jwturn.core.errors import BadInput, FatalStorage, JwturnError, NotFound
from jwturn.server.answers import internal, problem, start_of
from jwturn.server.bodies import parsed
from jwturn.server.call import Call
from jwturn.server.limits import BODY_DEADLINE, read_body
from jwturn.server.logs import traceback_of
from jwturn.server.openapi import document
from jwturn.server.routes import BARE_JWKS, ISSUER_JWKS, RING_JWKS, ROUTES, SIGN, Route
from jwturn.server.service import Service
from jwturn.service.publish import JWKS_PATH, Answer

_SIGN: Final = re.compile(r"/v1/rings/([A-Za-z0-9_-]{1,64})/sign")
_RING_JWKS: Final = re.compile(rf"/rings/([A-Za-z0-9_-]{{1,64}}){re.escape(JWKS_PATH)}")
_ENCODED_SLASH: Final = re.compile(rb"%(?:2[fF]|5[cC])")
"""No path of ours has one, and a proxy that judges paths may not see through it."""
_FETCHES: Final = frozenset({"GET", "HEAD"})
_log = structlog.get_logger("jwturn.server")


def build(
    app: App,
    *,
    body_deadline: timedelta = BODY_DEADLINE,
    on_fatal: Callable[[FatalStorage], None] | None = None,
) -> "Asgi":
    """The ASGI app of a node. Its lifespan starts the loop, and at the end closes `app`.

    `on_fatal` is told of storage that cannot be believed any more; it should end the process.
    """
    return Asgi(Service(app, document=document(ROUTES), body_deadline=body_deadline), on_fatal=on_fatal)


class Asgi:
    """An ASGI 3 application."""

    def __init__(self, service: Service, *, on_fatal: Callable[[FatalStorage], None] | None = None) -> None:
        self.service = service
        self._on_fatal = on_fatal
        self._router = Router(
            [StarletteRoute(route.path, _Endpoint(self, route), methods=[route.method]) for route in ROUTES],
            redirect_slashes=False,
            default=_nowhere,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        if _ENCODED_SLASH.search(scope.get("raw_path") or b""):
            await self._unmatched(HTTPException(HTTPStatus.NOT_FOUND), scope, send)
            return
        hot = _hot(scope["method"], scope["path"])
        if hot is not None:
            route, ring = hot
            await self.serve(route, Call(scope, receive, ring), send)
            return
        try:
            await self._router({**scope, "app": self}, receive, send)
        except HTTPException as error:
            await self._unmatched(error, scope, send)

    async def serve(self, route: Route, call: Call, send: Send) -> None:
        """Answers a call of a route."""
        began = perf_counter()
        try:
            answer = await self._routed(route, call)
        except JwturnError as error:
            answer = problem(error)
            if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR and error.code != "overloaded":
                _log.warning("call_failed", route=route.path, code=error.code, message=error.message)
        except FatalStorage as error:
            if self._on_fatal is not None:
                self._on_fatal(error)
            raise
        except Exception as error:  # noqa: BLE001  # whatever it was, the caller gets an answer
            _log.error("defect", route=route.path, exception=traceback_of(error))  # no locals
            answer = internal()
        method = call.scope["method"]
        self.service.metrics.count(route.path, method, code=answer.status, seconds=perf_counter() - began)
        await _send(answer, call.scope, send)

    async def _routed(self, route: Route, call: Call) -> Answer:
        if not route.limited:
            return await route.endpoint(self.service, call)
        with self.service.gate:
            if route.needs is not None:
                call.caller = await self.service.callers.demand(call, route.needs)
            if route.body is not None:
                call.raw = await read_body(
                    call.receive,
                    call.header(b"content-length"),
                    most=self.service.body_max,
                    deadline=self.service.body_deadline,
                )
                call.body = parsed(call.raw, call.header(b"content-type"), route.body)
            return await route.endpoint(self.service, call)

    async def _unmatched(self, error: HTTPException, scope: Scope, send: Send) -> None:
        await _send(_unmatched(scope, error), scope, send)
        self.service.metrics.count("unmatched", "any", code=error.status_code, seconds=0.0)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        app = self.service.app
        await receive()
        try:
            app.loop.start()
        except Exception as error:  # noqa: BLE001  # the server wants to be told, whatever it was
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await to_thread.run_sync(app.close)
        except JwturnError as error:
            _log.warning("close_failed", code=error.code, message=error.message)
        await send({"type": "lifespan.shutdown.complete"})


class _Endpoint:
    """A route as Starlette calls it."""

    def __init__(self, asgi: Asgi, route: Route) -> None:
        self._asgi = asgi
        self._route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ring = scope["path_params"].get("ring", "")
        await self._asgi.serve(self._route, Call(scope, receive, ring), send)


def _hot(method: str, path: str) -> tuple[Route, str] | None:
    """The route and ring of a path that is answered ahead of the router."""
    if method == "POST":
        found = _SIGN.fullmatch(path)
        return None if found is None else (SIGN, found[1])
    if method not in _FETCHES or not path.endswith(JWKS_PATH):
        return None
    if path == JWKS_PATH:
        return BARE_JWKS, ""
    found = _RING_JWKS.fullmatch(path)
    return (ISSUER_JWKS, "") if found is None else (RING_JWKS, found[1])


async def _send(answer: Answer, scope: Scope, send: Send) -> None:
    await send(start_of(answer))
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})


async def _nowhere(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise HTTPException(HTTPStatus.NOT_FOUND)


def _unmatched(scope: Scope, error: HTTPException) -> Answer:
    """404 and 405 of the router."""
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "")
        refusal = BadInput(
            f"{scope['method'][:20]} is not for this path",
            hint=f"allowed: {allowed}",
            code="method_not_allowed",
        )
        return problem(refusal, headers={"allow": allowed})
    return problem(
        NotFound("there is nothing at this path", hint="/openapi.json lists every path", code="no_such_path")
    )
