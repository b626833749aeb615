"""Whether the user's own texts of notices can be used: tried on every kind of notice beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import product
from pathlib import Path

from documents.notice_templates import (
    LANGUAGES,
    ROOM,
    SUFFIX,
    BrokenTemplateError,
    find,
    names,
)
from documents.notice_text import notice_text
from domain.company import Company
from domain.dunning.ladder import TEMPLATES
from domain.dunning.notice import (
    INSTALMENT_REMINDER,
    AgreedPayment,
    Notice,
    NoticeLine,
    Recipient,
)
from domain.order import Address, CustomerKind

_SENT = date(2026, 11, 23)
_PASSED, _COMING = date(2026, 11, 16), date(2026, 12, 1)
_ADDRESS = Address("Erika Muster", "", "Gasse 1", "", "10115", "Berlin", "", "DE")
_COMPANY = Company(
    name="Muster GmbH",
    address=_ADDRESS,
    time_zone="Europe/Berlin",
    currency="EUR",
    iban="DE89370400440532013000",
    email="post@muster.example",
    phone="030 1234",
)


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """What is wrong with a text, and where; ``line`` is None where it concerns all of it."""

    path: Path
    line: int | None
    what: str

    def __str__(self) -> str:
        """Say it as an editor would: ``first_notice.j2:7: ...``."""
        return f"{self.path}{f':{self.line}' if self.line else ''}: {self.what}"


def check_templates(folder: Path | None) -> list[TemplateProblem]:
    """Fill every text of the user's as it may ever be filled; return what is wrong.

    Nothing is wrong with a folder that is not set. A file that has no text's name is named: nobody
    would ever read it.
    """
    if folder is None:
        return []
    if not folder.is_dir():
        return [TemplateProblem(folder, None, "is no folder: mend ZAHLTAG_TEMPLATES_DIR")]
    if not (folder / ROOM).is_dir():
        return [TemplateProblem(folder, None, f"has no folder {ROOM}: nothing is read from it")]
    return [*_strangers(folder), *_broken(folder)]


def own_templates(folder: Path | None) -> Iterator[tuple[str, str, Path, bool]]:
    """Yield language, name, file and whether it is the user's own, of every text."""
    for language, name in names():
        relative = Path(ROOM, language, name + SUFFIX)
        own = folder is not None and (folder / relative).exists()
        yield language, name, relative if folder is None else folder / relative, own


def export_templates(folder: Path) -> tuple[list[Path], list[Path]]:
    """Write our texts for editing; return those written and those left alone as they exist."""
    written, kept = list[Path](), list[Path]()
    for language, name in names():
        path = folder / ROOM / language / (name + SUFFIX)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(find(None, language, name).source)
            written.append(path)
        except FileExistsError:
            kept.append(path)
    return written, kept


def _strangers(folder: Path) -> Iterator[TemplateProblem]:
    known = {Path(language, name + SUFFIX) for language, name in names()}
    room = folder / ROOM
    for path in sorted(room.rglob("*")):
        visible = not path.name.startswith(".") and not path.name.endswith("~")
        if visible and path.is_file() and path.relative_to(room) not in known:
            yield TemplateProblem(
                path,
                None,
                f"is read by nobody; there are {', '.join(TEMPLATES)} with {SUFFIX}, in"
                f" {' and '.join(f'{ROOM}/{language}' for language in LANGUAGES)}",
            )


def _broken(folder: Path) -> Iterator[TemplateProblem]:
    for language, name, _, own in own_templates(folder):
        if not own:
            continue
        try:
            for notice, letter, company in _every_case(language, name):
                notice_text(notice, company, letter=letter, attached=not letter, templates=folder)
        except BrokenTemplateError as error:
            yield TemplateProblem(error.path, error.line, error.what)


def _every_case(language: str, name: str) -> Iterator[tuple[Notice, bool, Company]]:
    """Yield notices that together make every name true and false, empty and filled."""
    agreed = ((),) if name != INSTALMENT_REMINDER else (
        (AgreedPayment(_PASSED, Decimal(10)),),
        (AgreedPayment(_COMING, Decimal(10)),),
        (AgreedPayment(_PASSED, Decimal(10)), AgreedPayment(_COMING, None)),
    )  # fmt: skip
    for kind, letter, several, before, promise in product(
        CustomerKind, (True, False), (True, False), (0, 2), agreed
    ):
        swiss = not several and before > 0
        lines = tuple(
            NoticeLine(f"RE-{n}", _PASSED, _PASSED, Decimal(100), "CHF" if swiss else "EUR", before)
            for n in range(3 if several else 1)
        )
        who = _ADDRESS if before else Address(country="DE")
        notice = Notice(
            reference="M-1",
            template=name,
            level=before + 1,
            recipient=Recipient("K-1", who.name, who, kind, language),
            lines=lines,
            sent_on=_SENT,
            deadline=_COMING,
            registered_mail=letter and several,
            agreed=promise,
        )
        home = replace(_ADDRESS, country="CH") if swiss else _ADDRESS
        phone = _COMPANY.phone if letter == several else ""
        yield notice, letter, replace(_COMPANY, address=home, phone=phone)
