"""The settings of an embedded stack: made from its ports and secrets, given as environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from domain.errors import RefusedError
from models.settings import Settings
from starter.stack.postgres import DATABASE, USER

if TYPE_CHECKING:
    from starter.stack.datadir import DataDir

PORTS_FILE = "ports.json"
PAYLOAD_KEYS = "payload_keys"  # a file of secrets/, made by `zahltag payload-key add`


def stack_environment(data: DataDir, ports: dict[str, int]) -> dict[str, str]:
    """Every ``ZAHLTAG_`` variable that the processes of this stack get."""
    password = data.secret("postgres_password")
    # Without a key in the data directory, the user's own setting counts.
    keys = data.secret(PAYLOAD_KEYS) or Settings().payload_keys.get_secret_value()
    return {
        "ZAHLTAG_DATA_DIR": str(data.path),
        "ZAHLTAG_DATABASE_URL": (
            f"postgresql://{USER}:{password}@127.0.0.1:{ports['postgres']}/{DATABASE}"
        ),
        "ZAHLTAG_TEMPORAL_ADDRESS": f"127.0.0.1:{ports['temporal']}",
        "ZAHLTAG_TEMPORAL_NAMESPACE": "default",
        "ZAHLTAG_TEMPORAL_TLS": "false",
        "ZAHLTAG_TEMPORAL_API_KEY": "",
        "ZAHLTAG_TEMPORAL_UI": f"http://127.0.0.1:{ports['temporal_ui']}",
        "ZAHLTAG_API_HOST": "127.0.0.1",
        "ZAHLTAG_API_PORT": str(ports["api"]),
        "ZAHLTAG_API_URL": f"http://127.0.0.1:{ports['api']}",
        "ZAHLTAG_API_TOKEN": data.secret("api_token"),
        "ZAHLTAG_SECRET_KEY": data.secret("secret_key"),
        "ZAHLTAG_PAYLOAD_KEYS": keys,
        "ZAHLTAG_SMTP_HOST": "127.0.0.1",
        "ZAHLTAG_SMTP_PORT": str(ports["mailbox"]),
        "ZAHLTAG_SMTP_USER": "",
        "ZAHLTAG_SMTP_PASSWORD": "",
        "ZAHLTAG_SMTP_TLS": "none",
        "ZAHLTAG_MAILBOX_DIR": str(data.mailbox),
        # A print service may watch a folder of its own.
        "ZAHLTAG_LETTER_SPOOL_DIR": str(Settings().letter_spool_dir or data.letters),
    }


def is_external() -> bool:
    """Whether the servers run elsewhere: the user has set ``ZAHLTAG_DATABASE_URL``."""
    return bool(Settings().database_url.get_secret_value())


def settings_of(data: DataDir) -> Settings:
    """The settings of commands: the user's own if the servers run elsewhere, else this stack's."""
    if is_external():
        return Settings()
    ports = data.read(PORTS_FILE)
    if not ports or not data.secret("postgres_password"):
        raise RefusedError(f"There is no stack in {data.path}: start one with `zahltag up`.")
    given = stack_environment(data, ports)
    values = {name.removeprefix("ZAHLTAG_").lower(): value for name, value in given.items()}
    return Settings.model_validate({**Settings().model_dump(), **values})


def child_environment(data: DataDir, ports: dict[str, int]) -> dict[str, str]:
    """The environment of a child: ours, with the stack's settings over it."""
    return {**os.environ, **stack_environment(data, ports), "PYTHONUNBUFFERED": "1"}
