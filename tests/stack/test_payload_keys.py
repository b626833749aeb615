"""Payload keys of the embedded stack: made on demand, kept private, handed to every process."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import typer.testing

from domain.errors import NotFoundError, RefusedError
from models.payload_keys import parse_payload_keys
from starter import cli
from starter.cli import payload_key
from starter.stack import payload_keys
from starter.stack.datadir import DataDir
from starter.stack.environment import PORTS_FILE, settings_of
from starter.stack.ports import NAMES
from starter.stack.table import whole_stack

PORTS = {name: 20_000 + number for number, name in enumerate(NAMES)}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDir:
    """A data directory that never ran, far from any .env file."""
    monkeypatch.chdir(tmp_path)
    for name in ("ZAHLTAG_PAYLOAD_KEYS", "ZAHLTAG_DATABASE_URL", "ZAHLTAG_METRICS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    made = DataDir(tmp_path / "data")
    made.create()
    made.write(PORTS_FILE, PORTS)
    return made


def ids(text: str) -> list[str]:
    """The names of the keys in a setting."""
    return [key.id for key in parse_payload_keys(text)]


def test_without_a_key_nothing_changes(data: DataDir) -> None:
    """Payloads are in clear, and the Web UI has nobody to ask."""
    temporal = next(spec for spec in whole_stack(data, PORTS) if spec.name == "temporal")
    assert settings_of(data).payload_keys.get_secret_value() == ""
    assert "--ui-codec-endpoint" not in temporal.command


def test_a_new_key_is_the_first_and_reaches_every_process(data: DataDir) -> None:
    """Worker, API and dispatcher would be started anew; the Web UI knows where to ask."""
    before = {spec.name: spec.fingerprint for spec in whole_stack(data, PORTS)}
    payload_keys.add(data, "k1")
    payload_keys.add(data, "k2")
    kept = data.path / "secrets" / "payload_keys"

    assert ids(kept.read_text()) == ["k2", "k1"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert ids(settings_of(data).payload_keys.get_secret_value()) == ["k2", "k1"]
    specs = {spec.name: spec for spec in whole_stack(data, PORTS)}
    for name in ("worker", "api", "dispatcher"):
        assert ids(specs[name].environment["ZAHLTAG_PAYLOAD_KEYS"]) == ["k2", "k1"]
        assert specs[name].fingerprint != before[name]
    at = specs["temporal"].command.index("--ui-codec-endpoint")
    assert specs["temporal"].command[at + 1] == f"http://127.0.0.1:{PORTS['api']}/codec"


def test_an_old_key_goes_the_first_one_stays(data: DataDir) -> None:
    """And a name is taken once."""
    payload_keys.add(data, "k1")
    payload_keys.add(data, "k2")
    with pytest.raises(RefusedError, match="two keys of the name k1"):
        payload_keys.add(data, "k1")
    with pytest.raises(RefusedError, match="k2 encrypts"):
        payload_keys.remove(data, "k2")
    with pytest.raises(NotFoundError, match="no key 'k9'"):
        payload_keys.remove(data, "k9")
    payload_keys.remove(data, "k1")
    assert ids(data.secret("payload_keys")) == ["k2"]


def test_elsewhere_the_command_only_prints(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """With servers elsewhere the setting is the operator's; the old keys stay in it."""
    monkeypatch.setenv("ZAHLTAG_DATABASE_URL", "postgresql://u:p@db.example/zahltag")
    monkeypatch.setenv("ZAHLTAG_PAYLOAD_KEYS", payload_keys.with_new(settings_of(data), "old"))
    app = typer.Typer()
    payload_key.register(app)
    app.command()(lambda: None)
    context = cli.Context(data, "admin")
    done = typer.testing.CliRunner().invoke(app, ["payload-key", "add", "new"], obj=context)

    assert done.exit_code == 0, done.output
    line = next(x for x in done.stdout.splitlines() if x.startswith("ZAHLTAG_PAYLOAD_KEYS="))
    assert ids(line.partition("=")[2]) == ["new", "old"]
    assert data.secret("payload_keys") == ""


def test_each_process_shows_its_metrics_on_its_own_port(
    data: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They share a machine; without the setting none does."""

    def addresses() -> dict[str, str]:
        return {
            spec.name: spec.environment.get("ZAHLTAG_METRICS_ADDRESS", "")
            for spec in whole_stack(data, PORTS)
            if spec.name in {"worker", "dispatcher", "api", "mailbox"}
        }

    assert set(addresses().values()) == {""}
    monkeypatch.setenv("ZAHLTAG_METRICS_ADDRESS", "127.0.0.1:9464")
    assert addresses() == {
        "mailbox": "",
        "worker": "127.0.0.1:9464",
        "dispatcher": "127.0.0.1:9465",
        "api": "127.0.0.1:9466",
    }
