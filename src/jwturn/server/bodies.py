"""The bodies callers send: one struct each, read strictly. Their JSON Schemas are those of /openapi.json."""

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, TypeVar

import msgspec

from jwturn.core import strict_json
from jwturn.core.durations import parse_duration
from jwturn.core.errors import BadInput
from jwturn.core.nearest import meant
from jwturn.server.answers import JSON

Kid = Annotated[str, msgspec.Meta(min_length=1, max_length=256, description="a kid, or how it begins")]
Why = Annotated[str, msgspec.Meta(max_length=500, description="why; kept in the audit events")]
Audience = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
TTL_MAX: Final = 10**9


class Sign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Claims to sign: one set, or a batch.

    `ttl` in seconds or as `10m`; the policy's longest where it is absent.
    """

    stray: ClassVar[str] = 'put the claims inside: {"claims": {"sub": "alice"}, "ttl": "10m"}'

    claims: dict[str, Any] | None = None
    batch: list[dict[str, Any]] | None = None
    ttl: int | str | None = None
    audience: Audience | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every command takes. With `dry_run` nothing changes and the answer says what would."""

    dry_run: bool = False
    reason: Why = ""


class Promote(Command, frozen=True, kw_only=True):
    """`before_lead` is for an emergency; it needs role admin and a reason."""

    kid: Kid | None = None
    before_lead: bool = False


class OfKey(Command, frozen=True, kw_only=True):
    """A command on one key."""

    kid: Kid


class OfKeyOrRing(Command, frozen=True, kw_only=True):
    """A command on one key, or without kid on the ring's turns."""

    kid: Kid | None = None


class Policy(Command, frozen=True, kw_only=True):
    """Fields of the policy to change, such as {"rotate_every": "12h"}."""

    changes: dict[str, Any]


B = TypeVar("B", bound=msgspec.Struct)


def parsed(data: bytes, content_type: str | None, kind: type[B]) -> B:
    """The body, read strictly (SECURITY.md 4); an absent one counts as {}.

    Raises BadInput: another media type, JSON that is not one reading, an unknown, missing or mistyped member.
    """
    if data and (content_type or "").partition(";")[0].strip().lower() != JSON:
        raise BadInput(
            f"the body is not declared as {JSON}", hint=f"content-type: {JSON}", code="content_type"
        )
    members = strict_json.loads(data) if data else {}
    if not isinstance(members, dict):
        raise BadInput("the body is not a JSON object", hint=_example(kind), code="body_malformed")
    _demand_known(members, kind)
    try:
        return msgspec.convert(members, kind)
    except msgspec.ValidationError as error:
        raise BadInput(
            f"the body was refused: {error}", hint=_example(kind), code="body_malformed"
        ) from error


def lifetime(ttl: int | str | None) -> timedelta | None:
    """The lifetime asked for. Raises BadInput."""
    if isinstance(ttl, str):
        return parse_duration(ttl)
    if ttl is not None and not 0 < ttl <= TTL_MAX:
        raise BadInput(
            "ttl is out of range", hint="seconds, or a duration such as 10m", code="ttl_out_of_range"
        )
    return None if ttl is None else timedelta(seconds=ttl)


def _demand_known(members: dict[str, Any], kind: type[B]) -> None:
    known = kind.__struct_fields__
    strange = [name for name in members if name not in known]
    if not strange:
        return
    if kind is Sign and not any(name in members for name in known):
        raise BadInput("the body has no member `claims`", hint=Sign.stray, code="claims_missing")
    raise BadInput(
        f"the body has an unknown member {strange[0][:60]!a}",
        hint=meant(strange[0], known),
        code="unknown_member",
    )


def _example(kind: type[B]) -> str:
    return f"a JSON object with the members {', '.join(kind.__struct_fields__)}; see /openapi.json"
