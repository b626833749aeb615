"""Every setting of every process, from the environment (prefix ``ZAHLTAG_``) or ``.env``.

Embedded, ``starter.stack`` fills the addresses and secrets in; outside, you do. ``.env.example``
lists each one. Secrets come from the environment or a 0600 file of the data directory, never from
a committed file.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.payload_keys import parse_payload_keys


class Settings(BaseSettings):
    """Addresses, secrets and limits of one company's installation."""

    model_config = SettingsConfigDict(
        env_prefix="ZAHLTAG_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    data_dir: Path = Field(Path(".zahltag"), description="where the embedded stack keeps its data")

    database_url: SecretStr = Field(
        SecretStr(""), description="postgresql://user:password@host:port/database (PostgreSQL 15+)"
    )
    database_pool: int = Field(15, ge=3, le=200, description="connections per process")

    temporal_address: str = Field("127.0.0.1:7233", description="host:port of the frontend")
    temporal_namespace: str = Field("default", description="one company, one namespace")
    task_queue: str = Field("zahltag", description="where workers take their work from")
    temporal_tls: bool = Field(
        default=False, description="TLS without a client certificate (Cloud API key)"
    )
    temporal_tls_cert: Path | None = Field(None, description="client certificate for mTLS (PEM)")
    temporal_tls_key: Path | None = Field(None, description="key of the client certificate (PEM)")
    temporal_api_key: SecretStr = Field(SecretStr(""), description="API key of Temporal Cloud")
    temporal_ui: str = Field(
        "", description="address of the Web UI: for links, and the one page that may ask the codec"
    )
    payload_keys: SecretStr = Field(
        SecretStr(""), description="NAME:KEY, newest first: encrypt what Temporal keeps"
    )

    api_host: str = Field("127.0.0.1", description="address the API listens on")
    api_port: int = Field(8080, ge=0, le=65535, description="port the API listens on")
    api_url: str = Field("", description="where the CLI finds the API; default: host and port")
    api_token: SecretStr = Field(
        SecretStr(""), description="bearer token of the operator; it may act as any user"
    )
    secret_key: SecretStr = Field(
        SecretStr(""), description="key that encrypts the webhook secrets (Fernet, 32 bytes base64)"
    )
    max_body_bytes: int = Field(2 * 1024 * 1024, ge=1024, description="largest request body")
    max_import_bytes: int = Field(
        256 * 1024 * 1024, ge=1024, description="largest file of open items that is imported"
    )

    smtp_host: str = Field("127.0.0.1", description="mail server")
    smtp_port: int = Field(2525, ge=1, le=65535, description="its port")
    smtp_user: str = Field("", description="user name, if the server wants one")
    smtp_password: SecretStr = Field(SecretStr(""), description="password of that user")
    smtp_tls: str = Field(
        "none", pattern="^(none|starttls|tls)$", description="none, starttls, tls"
    )
    mail_domain: str = Field("zahltag.example", description="right side of every Message-ID")
    mailbox_dir: Path | None = Field(
        None, description="folder of the embedded mailbox; unset with a real mail server"
    )

    letter_spool_dir: Path | None = Field(
        None, description="folder of letters to print; the embedded stack has one by itself"
    )
    templates_dir: Path | None = Field(
        None, description="folder of your own texts of notices; what is not there is ours"
    )

    heartbeat_file: Path | None = Field(
        None, description="file that worker and dispatcher touch every second to say they are alive"
    )
    pg_fsync: str = Field(
        "on", pattern="^(on|off)$", description="off: the embedded PostgreSQL of tests only"
    )

    log_format: str = Field("text", pattern="^(text|json)$", description="text or json")
    metrics_address: str = Field(
        "",
        pattern=r"^(\S+:\d{1,5})?$",
        description="host:port on which this process shows its Prometheus metrics; empty: nowhere",
    )

    @field_validator("payload_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr) -> SecretStr:
        """Refuse a key that cannot be one: as our own sentence, which does not show the value."""
        parse_payload_keys(value.get_secret_value())
        return value

    @property
    def api_base_url(self) -> str:
        """Where clients find the API."""
        return self.api_url or f"http://{self.api_host}:{self.api_port}"
