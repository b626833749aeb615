"""docker-compose.yml and Dockerfile: no engine runs here, so what can be checked without is."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from models.search_attributes import SEARCH_ATTRIBUTES
from models.settings import Settings
from starter.stack.temporal import program

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Path(__file__).with_name("compose-spec.json")
SCHEMA_SHA256 = "d549057ebc2925f39f62799eab0db7b9e2c18b35b6c00595199116da3ed10e64"
OURS = ("migrate", "worker", "dispatcher", "api", "cli")
# Variables of the compose file alone: they stand in addresses and published ports.
COMPOSE_ONLY = {
    "ZAHLTAG_POSTGRES_PASSWORD",
    "ZAHLTAG_TEMPORAL_UI_PORT",
    "ZAHLTAG_MAIL_UI_PORT",
    "ZAHLTAG_API_HOST_PORT",
}


@pytest.fixture(scope="module")
def text() -> str:
    """The compose file as it is written."""
    return (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compose(text: str) -> dict[str, Any]:
    """The compose file as it is read."""
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def test_the_schema_is_the_published_one() -> None:
    """The copy was not touched: its digest is the one of the package it came from."""
    assert hashlib.sha256(SCHEMA.read_bytes()).hexdigest() == SCHEMA_SHA256


def test_it_follows_the_compose_specification(compose: dict[str, Any]) -> None:
    """Every key and value is one that the specification knows."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    errors = Draft202012Validator(schema).iter_errors(compose)
    assert [f"{'/'.join(map(str, e.path))}: {e.message}" for e in errors] == []


def test_a_misspelt_key_would_be_found(compose: dict[str, Any]) -> None:
    """The schema is strict enough for the test above to mean something."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    services = {**compose["services"], "worker": {"imagee": "zahltag"}}
    assert not Draft202012Validator(schema).is_valid({**compose, "services": services})


def test_every_variable_is_a_setting(text: str, compose: dict[str, Any]) -> None:
    """No setting is misspelt, neither where it is given nor where it is asked for."""
    known = {f"ZAHLTAG_{name.upper()}" for name in Settings.model_fields}
    given = {name for one in OURS for name in compose["services"][one]["environment"]}
    assert given <= known
    assert set(re.findall(r"\$\{(\w+)", text)) <= known | COMPOSE_ONLY


def test_no_secret_has_a_default(text: str) -> None:
    """Whoever starts it has to choose the secrets; an empty one is refused."""
    for name in ("ZAHLTAG_POSTGRES_PASSWORD", "ZAHLTAG_API_TOKEN", "ZAHLTAG_SECRET_KEY"):
        uses = re.findall(rf"\$\{{{name}[^}}]*", text)
        assert uses
        assert all(use.startswith(f"${{{name}:?") for use in uses)


def test_the_processes_are_the_stack_s(compose: dict[str, Any]) -> None:
    """Worker, API and dispatcher are the modules that the embedded stack runs; each can be found."""
    entrypoints = {one: compose["services"][one].get("entrypoint") for one in OURS}
    assert entrypoints["worker"] == ["python", "-m", "worker"]
    assert entrypoints["dispatcher"] == ["python", "-m", "starter.dispatcher"]
    assert entrypoints["api"] == ["python", "-m", "starter.api"]
    assert all(importlib.util.find_spec(e[-1]) for e in entrypoints.values() if e)


def test_what_stays_shows_its_health_and_waits_for_what_it_needs(compose: dict[str, Any]) -> None:
    """Every long-running service has a health check; every dependency exists."""
    services = compose["services"]
    stays = [n for n, s in services.items() if s.get("restart") == "unless-stopped"]
    assert {"postgres", "temporal", "worker", "api", "dispatcher"} <= set(stays)
    assert [n for n in stays if "healthcheck" not in services[n]] == []
    needed = {name for s in services.values() for name in s.get("depends_on", {})}
    assert needed <= set(services)


def test_every_port_is_published_on_this_machine_only(compose: dict[str, Any]) -> None:
    """Nothing is open to the network until somebody decides it."""
    ports = [p for s in compose["services"].values() for p in s.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_server_of_the_wheel_takes_the_same_command(compose: dict[str, Any]) -> None:
    """The flags exist, and the search attributes are those that the workflows set."""
    command = compose["services"]["temporal"]["command"]
    attributes = [c.partition("=")[2] for c in command if c.startswith("--search-attribute=")]
    assert dict(a.split("=") for a in attributes) == dict(SEARCH_ATTRIBUTES)
    done = subprocess.run(
        [program(), "server", "start-dev", "--help"], capture_output=True, text=True, check=True
    )
    flags = {c.partition("=")[0] for c in command if c.startswith("--")}
    known = set(re.findall(r"--[a-z-]+", done.stdout)) | {"--log-level"}  # a global flag
    assert flags <= known


def test_the_image_holds_every_package_and_does_not_run_as_root() -> None:
    """What pyproject.toml installs is copied; what is copied is not ignored."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = {
        w.rstrip("/") for line in lines if line.startswith("COPY") for w in line.split()[1:-1]
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {p.partition(".")[0] for p in project["tool"]["setuptools"]["packages"]}
    assert packages | {"worker.py", "migrations", "alembic.ini", "requirements.lock"} <= copied
    assert [one for one in copied if not (ROOT / one).exists()] == []
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied <= {line[1:].rstrip("/") for line in allowed if line.startswith("!")}
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["zahltag"]
    assert "--require-hashes" in "\n".join(lines)
