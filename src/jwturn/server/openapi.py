"""/openapi.json: OpenAPI 3.1 from the table of routes and the structs themselves, so that it cannot drift."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from jwturn import __version__
from jwturn.core.tokens import PERMITS, Permission
from jwturn.server.answers import JSON, PROBLEM, Problem
from jwturn.server.routes import Route
from jwturn.service.publish import JWKS_PATH, JWKS_TYPE

_PARAMETER: Final = re.compile(r"\{(\w+)(:path)?\}")
_REFERENCE: Final = "#/components/schemas/{name}"
_JWKS: Final = {
    "type": "object",
    "required": ["keys"],
    "properties": {"keys": {"type": "array", "minItems": 1, "items": {"type": "object"}}},
}
_WORDS: Final[Mapping[str, str]] = {
    "ring": "the name of a ring",
    "issuer": "the path of the issuer's URL; it may have several segments",
    "after": "only lines with a larger seq (default 0)",
    "limit": "how many lines at most (1 to 1000, default 100)",
}
_REFUSALS: Final = {
    "default": {
        "description": "refused (RFC 9457)",
        "content": {PROBLEM: {"schema": {"$ref": _REFERENCE.format(name="Problem")}}},
    }
}


def document(routes: Sequence[Route]) -> bytes:
    """The text of /openapi.json for a table."""
    structs = {
        struct for route in routes for struct in (route.body, route.answers, route.also) if struct is not None
    }
    ordered = sorted(structs, key=lambda struct: struct.__name__)
    _, schemas = msgspec.json.schema_components([*ordered, Problem], ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(public_path(route), {})[route.method.lower()] = _operation(route)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "jwturn",
                "version": __version__,
                "description": "Makes, keeps, publishes and turns the keys that sign JSON Web Tokens.",
            },
            "paths": paths,
            "components": {
                "schemas": {**schemas, "JWKS": _JWKS},
                "securitySchemes": {
                    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "jwturn_..."}
                },
            },
        }
    )


def public_path(route: Route) -> str:
    """The path as OpenAPI writes it."""
    return _PARAMETER.sub(r"{\1}", route.path)


def _operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation_id(route),
        "summary": route.summary,
        "responses": {"200": _success(route), **_others(route), **_REFUSALS},
    }
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"},
            "description": _WORDS[name],
        }
        for name, _ in _PARAMETER.findall(route.path)
    ]
    parameters += [
        {"name": name, "in": "query", "schema": {"type": "integer"}, "description": _WORDS[name]}
        for name in route.query
    ]
    if route.body is not None:
        found["requestBody"] = {"content": {JSON: {"schema": _ref(route.body)}}}
    if route.needs is not None:
        found["security"] = [{"token": []}]
        found["description"] = f"Roles: {', '.join(roles_for(route.needs))}."
    if _is_command(route):
        parameters.append({"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}})
    return {**found, **({"parameters": parameters} if parameters else {})}


def operation_id(route: Route) -> str:
    """A name for generated clients: the method and the words of the path."""
    words = re.findall(r"[A-Za-z0-9]+", _PARAMETER.sub(r"by-\1", route.path).replace(".well-known", ""))
    return "_".join([route.method.lower(), *words]).replace("-", "_").lower()


def roles_for(permission: Permission) -> list[str]:
    """The roles that have a permission."""
    return [str(role) for role, permits in PERMITS.items() if permission in permits]


def _is_command(route: Route) -> bool:
    return route.method == "POST" and route.needs is not Permission.SIGN


def _success(route: Route) -> dict[str, Any]:
    if route.media == JWKS_TYPE:
        schema: dict[str, Any] = {"$ref": _REFERENCE.format(name="JWKS")}
    elif route.answers is None:
        schema = {"type": "string"} if route.media != JSON else {"type": "object"}
    elif route.also is None:
        schema = _ref(route.answers)
    else:
        schema = {"oneOf": [_ref(route.answers), _ref(route.also)]}
    return {"description": route.summary, "content": {route.media: {"schema": schema}}}


def _others(route: Route) -> dict[str, Any]:
    if ".well-known" not in route.path:
        return {}
    found = {"304": {"description": "the caller holds it (If-None-Match)"}}
    return (
        {**found, "503": {"description": "no set for now; keep the one you hold"}}
        if JWKS_PATH in route.path
        else found
    )


def _ref(struct: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=struct.__name__)}
