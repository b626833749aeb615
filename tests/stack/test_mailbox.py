"""The embedded mailbox: what it accepted is there for good, and it knows what it has."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from connectors.mail import Acceptance, MailRefusedError, SmtpMailer
from connectors.mailbox import list_mails, read_mail, was_accepted
from domain.errors import NotFoundError
from models.settings import Settings
from starter.stack.mailbox import MAX_BYTES, Folder, serving

from .test_mail import a_mail, mailer

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_mail_is_kept_as_it_was_sent(tmp_path: Path) -> None:
    """Text, attachment, headers and the envelope's recipient come back unchanged."""
    message = a_mail(to="Jörg <b@customer.example>")
    message["X-Zahltag-Kind"] = "invoice"
    message["X-Zahltag-Case"] = "order-shop-1"
    async with serving("127.0.0.1", 0, tmp_path) as port, mailer(port) as mail:
        await mail.send(message)
        await mail.send(a_mail(2))
    first, second = list_mails(tmp_path)
    assert (first.to, first.subject) == ("b@customer.example", "Rechnung über 119,00 €")
    assert (first.kind, first.case_id) == ("invoice", "order-shop-1")
    assert (second.kind, second.case_id) == ("other", "")
    assert first.message_id == message["Message-ID"]
    assert first.attachments == ("r.pdf",)
    assert first.date.tzinfo is not None
    whole = read_mail(tmp_path, first.id)
    assert whole.summary == first
    assert whole.text == "Guten Tag\n.\n..\nViele Grüße\n"
    assert whole.html == ""
    assert whole.attachments[0].content == b"%PDF" * 9000
    assert (tmp_path / f"{first.id}.eml").stat().st_mode & 0o077 == 0


async def test_the_same_message_id_twice_is_kept_twice(tmp_path: Path) -> None:
    """Doubles must be seen."""
    async with serving("127.0.0.1", 0, tmp_path) as port, mailer(port) as mail:
        for _ in range(2):
            await mail.send(a_mail())
    first, second = list_mails(tmp_path)
    assert first.message_id == second.message_id
    assert first.id < second.id


async def test_it_knows_what_it_accepted(tmp_path: Path) -> None:
    """Yes for what is on disk, no for what is not, unknown while nobody can say."""
    folded = f"<{'long-' * 30}id@zahltag.example>"
    message = a_mail()
    del message["Message-ID"]
    message["Message-ID"] = folded
    async with serving("127.0.0.1", 0, tmp_path) as port:
        async with mailer(port, mailbox_dir=tmp_path) as mail:
            assert await mail.accepted(folded) is Acceptance.NO
            await mail.send(message)
            assert await mail.accepted(folded) is Acceptance.YES
            assert await mail.accepted("<other@x>") is Acceptance.NO
        async with mailer(port) as mail:
            assert await mail.accepted(folded) is Acceptance.UNKNOWN
    async with mailer(1, mailbox_dir=tmp_path) as mail:
        assert await mail.accepted(folded) is Acceptance.YES
        assert await mail.accepted("<other@x>") is Acceptance.UNKNOWN
    assert not was_accepted(tmp_path, "<other@x>")


async def test_no_is_said_only_when_nothing_is_on_its_way(tmp_path: Path) -> None:
    """While a mail is being received the answer waits; then the mail is there."""
    message = a_mail()
    async with (
        serving("127.0.0.1", 0, tmp_path) as port,
        mailer(port, mailbox_dir=tmp_path) as mail,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for line in (b"EHLO x", b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@x.example>", b"DATA"):
            writer.write(line + b"\r\n")
            await asyncio.sleep(0.05)
        asking = asyncio.create_task(mail.accepted(message["Message-ID"]))
        await asyncio.sleep(0.1)
        assert not asking.done()
        writer.write(b"Message-ID: " + message["Message-ID"].encode() + b"\r\n\r\nx\r\n.\r\n")
        assert await asking is Acceptance.YES
        writer.write(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\nhalf")
        await asyncio.sleep(0.1)
        asking = asyncio.create_task(mail.accepted("<other@x>"))
        await asyncio.sleep(0.1)
        assert not asking.done()
        writer.close()
        assert await asking is Acceptance.NO
        await reader.read()


async def test_too_large_a_mail_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a limit (25 MB), and it is said before the mail travels."""
    assert MAX_BYTES == 25 * 1024 * 1024
    monkeypatch.setattr("starter.stack.mailbox.MAX_BYTES", 10_000)
    async with serving("127.0.0.1", 0, tmp_path) as port, mailer(port) as mail:
        with pytest.raises(MailRefusedError) as raised:
            await mail.send(a_mail())
    assert raised.value.code == 552
    assert list_mails(tmp_path) == []


def test_names_rise_though_the_clock_steps_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of receipt survives a clock correction, and leftovers of a crash are removed."""
    Folder(tmp_path).store(["a@x.example"], b"Subject: 1\r\n\r\n")
    (tmp_path / "0000000000000001-0123456789abcdef.part").write_bytes(b"half")
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000)
    Folder(tmp_path).store(["a@x.example"], b"Subject: 2\r\n\r\n")
    assert [mail.subject for mail in list_mails(tmp_path)] == ["1", "2"]
    assert list(tmp_path.glob("*.part")) == []


@pytest.mark.parametrize(
    "bad", ["../secret", "", "*", "x" * 33, "0000000000000001-0123456789abcdef"]
)
def test_an_id_is_never_a_path(tmp_path: Path, bad: str) -> None:
    """Whatever is asked for, only mails of the folder are read."""
    (tmp_path / "secret.eml").write_text("x")
    with pytest.raises(NotFoundError):
        read_mail(tmp_path / "mails", bad)


async def test_a_full_disk_is_a_temporary_refusal(tmp_path: Path) -> None:
    """What cannot be stored is not accepted, and may be sent again."""
    from connectors.mail import MailNotSentError

    folder = tmp_path / "gone"
    async with serving("127.0.0.1", 0, folder) as port:
        folder.rmdir()
        made = SmtpMailer(Settings(_env_file=None, smtp_port=port))
        with pytest.raises(MailNotSentError):
            await made.send(a_mail())
        await made.aclose()
