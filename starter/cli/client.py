"""The command line's way to the API: one request, its answer as JSON, or a refusal in words.

Made of the standard library: importing an HTTP package would cost every command a quarter second.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast
from urllib.parse import quote, urlencode, urlsplit

from domain.errors import Problem, RefusedError

if TYPE_CHECKING:
    import typer

    from starter.cli import Context
    from starter.stack.datadir import DataDir

T = TypeVar("T")

PATIENCE = 60.0  # a command waits up to ten seconds for a worker, on a busy machine


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said: the bytes and the headers (names in lower case)."""

    content: bytes
    headers: dict[str, str]

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """Read it as JSON."""
        return json.loads(self.content)


@dataclass(frozen=True, slots=True)
class Client:
    """Calls the API at one address, with its token, for one user."""

    url: str
    token: str
    user: str

    def get(self, *path: str, **query: str | None) -> Any:  # noqa: ANN401 - any JSON value
        """Read something."""
        return self.send("GET", path, query=query).json()

    def post(self, *path: str, body: Any = None) -> Any:  # noqa: ANN401 - any JSON value
        """Send a command."""
        return self.send("POST", path, _json(body)).json()

    def put(self, *path: str, body: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Set something."""
        return self.send("PUT", path, _json(body)).json()

    def delete(self, *path: str) -> Any:  # noqa: ANN401 - any JSON value
        """Remove something."""
        return self.send("DELETE", path).json()

    def upload(self, *path: str, content: BinaryIO, **query: str | None) -> Any:  # noqa: ANN401 - any JSON value
        """Send a file as it is, in pieces; what is done with it may take minutes."""
        sent = self.send("POST", path, content, query, media_type="text/csv", patience=900.0)
        return sent.json()

    def send(
        self,
        method: str,
        path: tuple[str, ...],
        content: bytes | BinaryIO = b"",
        query: Mapping[str, str | None] | None = None,
        *,
        media_type: str = "application/json",
        patience: float = PATIENCE,
    ) -> Answer:
        """Make one request; RefusedError with the API's sentence if it is refused."""
        if "" in path:
            raise RefusedError("Say which one is meant: its number, name or id is empty.")
        address = urlsplit(self.url)
        secure = address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(address.hostname or "", address.port, timeout=patience)
        asked = given(query or {})
        target = f"{address.path}/api/{'/'.join(quote(part, safe='') for part in path)}"
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": media_type,
            "X-Zahltag-User": quote(self.user, safe=" @"),
        }
        try:
            # The API may answer before it has read all of a body that is too large.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(
                    method, f"{target}?{urlencode(asked)}" if asked else target, content, headers
                )
            answer = connection.getresponse()
            received = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise RefusedError(
                f"The API does not answer at {self.url}: start it with `zahltag up`."
            ) from error
        finally:
            connection.close()
        if answer.status >= 300:
            raise _refusal(received, answer.status, self.url)
        return Answer(received, {name.lower(): value for name, value in answer.getheaders()})


def given(options: Mapping[str, T | None]) -> dict[str, T]:
    """Return the options that were given; what was left out is not sent."""
    return {name: value for name, value in options.items() if value is not None}


def client_of(context: typer.Context) -> Client:
    """Return the client that the global options ask for."""
    options = cast("Context", context.obj)
    return make_client(options.data, options.user)


def make_client(data: DataDir, user: str = "admin") -> Client:
    """Find the API and its token: of the stack in this data directory, or of the environment."""
    url, token = os.environ.get("ZAHLTAG_API_URL"), os.environ.get("ZAHLTAG_API_TOKEN")
    outside = "ZAHLTAG_DATABASE_URL" in os.environ or Path(".env").exists()
    ports = {} if outside else data.read("ports.json")
    if not url and not ports and not outside:
        raise RefusedError(f"There is no stack in {data.path}: start one with `zahltag up`.")
    if not url and outside:
        # Slow to import, so only where the settings have the say.
        from starter.stack.environment import settings_of  # noqa: PLC0415

        settings = settings_of(data)
        url = settings.api_base_url
        token = token or settings.api_token.get_secret_value()
    return Client(
        url=(url or f"http://127.0.0.1:{ports['api']}").rstrip("/"),
        token=token or data.secret("api_token"),
        user=user,
    )


def _json(body: Any) -> bytes:  # noqa: ANN401 - any JSON value
    return b"" if body is None else json.dumps(body, default=str).encode()


def _refusal(content: bytes, status: int, url: str) -> RefusedError:
    """Return the API's refusal; problems that its sentence names already are not said twice."""
    try:
        said = json.loads(content)
        sentence = str(said["error"])
        problems = [Problem(p["field"], p["expected"], p["found"]) for p in said["problems"]]
    except (ValueError, KeyError, TypeError):
        return RefusedError(f"What answers at {url} is not Zahltag's API (status {status}).")
    return RefusedError(sentence, tuple(p for p in problems if str(p) not in sentence))
