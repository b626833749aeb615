"""The embedded mailbox: what really went out, as its recipients got it."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from fastapi import APIRouter

from connectors.mailbox import Attachment, MailSummary, list_mails, read_mail
from domain.errors import NotFoundError
from starter.api.auth import Viewer
from starter.api.inputs import Name
from starter.api.services import Uses
from starter.services import Json, Services

router = APIRouter(prefix="/api/mails")


@router.get("")
async def list_all(services: Uses, _: Viewer) -> list[Json]:
    """Return every mail that the mailbox has accepted, oldest first."""
    found = await asyncio.to_thread(list_mails, _mailbox(services))
    return [_summary(mail) for mail in found]


@router.get("/{mail_id}")
async def show_mail(mail_id: Name, services: Uses, _: Viewer) -> Json:
    """Return one mail with its text."""
    mail = await asyncio.to_thread(read_mail, _mailbox(services), mail_id)
    return {
        **_summary(mail.summary),
        "text": mail.text,
        "html": mail.html,
        "files": [_file(attachment) for attachment in mail.attachments],
    }


def _mailbox(services: Services) -> Path:
    folder = services.settings.mailbox_dir
    if folder is None:
        raise NotFoundError(
            "There is no embedded mailbox: the mails went to the mail server"
            f" {services.settings.smtp_host}."
        )
    return folder


def _summary(mail: MailSummary) -> Json:
    return {
        "id": mail.id,
        "to": mail.to,
        "subject": mail.subject,
        "date": mail.date,
        "kind": mail.kind,
        "case_id": mail.case_id,
        "message_id": mail.message_id,
        "attachments": list(mail.attachments),
    }


def _file(attachment: Attachment) -> Json:
    return {
        "filename": attachment.filename,
        "media_type": attachment.content_type,
        "size": len(attachment.content),
        "sha256": hashlib.sha256(attachment.content).hexdigest(),
    }
