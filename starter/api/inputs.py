"""The bodies of commands: strict, without unknown fields; texts are one line without odd marks."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict

from connectors.shops.port import JsonObject, parse_document
from domain.errors import RefusedError
from starter.api.errors import NotJsonError


class Input(BaseModel):
    """Base of all bodies. A field that nobody reads is refused: it would be lost without a word."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _one_line(text: str) -> str:
    if not text.strip() or len(text) > 500 or not text.isprintable():
        raise ValueError("one line of 1 to 500 characters")
    return text.strip()


def _printable(text: str) -> str:
    if len(text) > 200 or not text.isprintable():
        raise ValueError("at most 200 ordinary characters")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
# A name in an address: whatever it is, the database gets no control character to choke on.
Name = Annotated[str, Path(), AfterValidator(_printable)]
Key = Annotated[int, Path(ge=1, le=2**62)]


def json_object(body: bytes) -> JsonObject:
    """Read a raw body as one JSON object, numbers exactly as written."""
    try:
        return parse_document(body)
    except RefusedError as problem:
        raise NotJsonError(problem.message) from problem
