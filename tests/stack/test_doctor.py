"""The doctor names what is wrong with a database, and an address's parameters mean what they say."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from sqlalchemy import text

from domain.company import Company
from models.settings import Settings
from models.store import channels
from models.store.database import Database
from models.vault import Vault
from starter.backup.create import create
from starter.stack.checks import Check, check_database

SSL_REQUEST = struct.pack("!ii", 8, 80877103)


async def found(settings: Settings) -> dict[str, Check]:
    """The doctor's findings about the database, by name."""
    return {check.name: check for check in await check_database(settings)}


async def test_a_database_as_it_should_be(
    settings: Settings, company: Company, tmp_path: Path
) -> None:
    """All is well; the age of the last backup is a hint and no fault."""
    assert company.name
    checks = await found(settings)
    assert [name for name, check in checks.items() if not check.ok] == []
    assert "none was taken" in checks["backup"].finding
    await create(settings, tmp_path / "b", print)
    assert "0 day(s) ago" in (await found(settings))["backup"].finding


async def test_what_is_wrong_is_named(settings: Settings, database: Database) -> None:
    """No company, facts that wait too long, and secrets of another key."""
    async with database.transaction() as session:
        sealed = Vault(settings).seal("whsec")
        await channels.add_if_absent(session, "my-shop", "shopify", sealed, datetime.now(UTC))
        await session.execute(
            text(
                "insert into outbox (case_id, signal, payload, created_at, due_at, attempts,"
                " last_error) values ('c', 'start', '{}', :at, :at, 0, '')"
            ),
            {"at": datetime.now(UTC) - timedelta(hours=1)},
        )
    other = SecretStr(Fernet.generate_key().decode())
    checks = await found(settings.model_copy(update={"secret_key": other}))
    assert {name for name, check in checks.items() if not check.ok} == {
        "company",
        "outbox",
        "channels",
    }
    assert "my-shop" in checks["channels"].finding
    assert "1 facts" in checks["outbox"].finding


@pytest.mark.parametrize(
    ("version", "remedy"), [("9999", "install the version"), ("0001", "zahltag migrate")]
)
async def test_a_schema_of_another_version(
    settings: Settings, database: Database, version: str, remedy: str
) -> None:
    """Newer than the program and older than it want different things."""
    async with database.engine.begin() as connection:
        kept = await connection.scalar(text("select version_num from alembic_version"))
        await connection.execute(
            text("update alembic_version set version_num = :v"), {"v": version}
        )
    check = (await found(settings))["schema"]
    assert not check.ok
    assert version in check.finding
    assert remedy in check.remedy
    async with database.engine.begin() as connection:
        await connection.execute(text("update alembic_version set version_num = :v"), {"v": kept})


def _with(settings: Settings, query: str, port: int | None = None) -> Settings:
    parts = urlsplit(settings.database_url.get_secret_value())
    if port:
        parts = parts._replace(netloc=parts.netloc.rpartition(":")[0] + f":{port}")
    url = urlunsplit(parts._replace(query=query))
    return settings.model_copy(update={"database_url": SecretStr(url)})


async def _is_encrypted(settings: Settings) -> bool:
    """Ask as the processes do, through SQLAlchemy, whether the connection is encrypted."""
    database = Database.connect(settings)
    try:
        async with database.engine.connect() as connection:
            assert await connection.scalar(text("select 1")) == 1
            raw = await connection.get_raw_connection()
            driver = raw.driver_connection
            assert isinstance(driver, asyncpg.Connection)
            return driver._transport.get_extra_info("ssl_object") is not None
    finally:
        await database.close()


async def test_the_address_says_whether_it_is_encrypted(settings: Settings, tmp_path: Path) -> None:
    """``sslmode`` and its like mean in our processes what they mean to every PostgreSQL client."""
    certificate, strange = _certificate(tmp_path / "ours"), _certificate(tmp_path / "strange")
    assert not await _is_encrypted(_with(settings, "sslmode=disable&application_name=zahltag"))
    with pytest.raises(ConnectionError):
        await _is_encrypted(_with(settings, "sslmode=require"))
    assert not (await found(_with(settings, "sslmode=require")))["database"].ok
    async with _tls_in_front(settings, certificate) as port:
        for query in ("sslmode=require", f"sslmode=verify-ca&sslrootcert={certificate}"):
            assert await _is_encrypted(_with(settings, query, port))
            assert (await found(_with(settings, query, port)))["schema"].ok
        with pytest.raises(ssl.SSLError):
            await _is_encrypted(_with(settings, f"sslmode=verify-ca&sslrootcert={strange}", port))


@contextlib.asynccontextmanager
async def _tls_in_front(settings: Settings, certificate: Path) -> AsyncIterator[int]:
    """A server that speaks PostgreSQL's TLS and passes everything on in clear."""
    behind = urlsplit(settings.database_url.get_secret_value()).port
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            assert await reader.readexactly(8) == SSL_REQUEST
            writer.write(b"S")
            await writer.start_tls(context)
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", behind)
            await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


def _certificate(directory: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    directory.mkdir()
    path = directory / "server.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path
