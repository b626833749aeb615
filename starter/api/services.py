"""How a route gets what it works with: FastAPI hands it over."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from starter.services import Services


def _of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Uses = Annotated[Services, Depends(_of)]
