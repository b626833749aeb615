"""Who may call what: one bearer token for the operator, and the role of the user who acts.

The token opens the API, on loopback too; ``X-Zahltag-User`` then says for whom it acts. Users and
their roles stand in the company's profile; ``admin`` always exists.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from fastapi import Depends, Header
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.errors import ForbiddenError
from models.store import company
from starter.api.codec_door import LOGIN
from starter.api.errors import answer
from starter.api.services import Uses

ADMIN = "admin"


class Role(IntEnum):
    """What a user may do; each role includes the ones before it."""

    VIEWER = 1
    FINANCE = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class User:
    """Who acts, as the history will name them."""

    name: str
    role: Role


class TokenGate:
    """Lets nobody in without the token, before a byte of the body is read.

    The webhooks are open: each one shows by its signature that it knows its channel's secret. So is
    the codec's login, which asks for the token itself.
    """

    def __init__(self, app: ASGIApp, token: SecretStr) -> None:
        self._app = app
        self._token = token.get_secret_value()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, or answer 401."""
        open_to_all = scope["type"] != "http" or _is_open(scope["path"])
        problem = "" if open_to_all else self._problem(Headers(scope=scope).get("authorization"))
        if problem:
            refusal = answer(401, problem, headers={"WWW-Authenticate": "Bearer"})
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _problem(self, given: str | None) -> str:
        if not self._token:
            return "The API has no token yet, so it lets nobody in: set ZAHLTAG_API_TOKEN."
        scheme, _, token = (given or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return "The token is missing: send the header Authorization: Bearer TOKEN."
        known = hmac.compare_digest(token.strip().encode(), self._token.encode())
        return "" if known else "The token is wrong: use the one of this installation."


def _is_open(path: str) -> bool:
    return path in {"/health", LOGIN} or path.startswith("/webhooks/")


async def _user(services: Uses, x_zahltag_user: Annotated[str, Header()] = ADMIN) -> User:
    if x_zahltag_user == ADMIN:
        return User(ADMIN, Role.ADMIN)
    async with services.database.transaction() as session:
        profile = await company.find(session)
    role = profile.users.get(x_zahltag_user, "") if profile else ""
    if role.upper() not in Role.__members__:
        raise ForbiddenError(
            f"There is no user {x_zahltag_user[:60]!r}: name one of the company's users."
        )
    return User(x_zahltag_user, Role[role.upper()])


class _Needs:
    """A dependency: the user who acts, if the role is large enough."""

    def __init__(self, least: Role) -> None:
        self._least = least

    def __call__(self, user: Annotated[User, Depends(_user)]) -> User:
        if user.role < self._least:
            raise ForbiddenError(
                f"{user.name} has the role {user.role.name.lower()};"
                f" this needs the role {self._least.name.lower()}."
            )
        return user


Viewer = Annotated[User, Depends(_Needs(Role.VIEWER))]
Finance = Annotated[User, Depends(_Needs(Role.FINANCE))]
Admin = Annotated[User, Depends(_Needs(Role.ADMIN))]
