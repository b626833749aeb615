"""Everything a case has left behind, in a form that two runs can be compared in; and the way back.

Compared is every row of every table, every mail, every letter, and what a CRM holds. Only what says nothing is
left out: ids that a rolled back transaction has used up, how often a mail was handed over or a CRM
was told the same, and when.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Integer, Table

from connectors.mailbox import list_mails
from models import tables
from models.store.database import Database
from tests.crm_server import Crm

Books = Counter[str]

# "Task 3", "payment-2": which number it is depends on how many attempts there were.
_NUMBERED = re.compile(
    r"\b((?:approval|change|exception|extension|invoice|notice|payment|run|run_failed|step_failed|task)"
    r"(?:_id)?(?:[ :-]|\": ?))\d+|\b(K)\d{5}\b",
    re.IGNORECASE,
)
# Numbers of rows and of attempts; and the files themselves, whose hashes stand beside them.
_LEFT_OUT = {
    "document": ["content"],
    "inbox": ["body"],
    "outgoing_mail": ["attempts"],
    "deal_update": ["attempts", "intended_at", "done_at"],
}


def _rows(table: Table) -> str:
    ids = [
        column.name
        for column in table.columns
        if isinstance(column.type, BigInteger | Integer)
        and (column.name == "id" or column.name.endswith("_id"))
    ]
    names = ", ".join(f"'{name}'" for name in [*ids, *_LEFT_OUT.get(table.name, [])])
    without = f" - array[{names}]" if names else ""
    return f"select '{table.name} ' || (to_jsonb(t){without})::text from {table.name} t"  # noqa: S608


_EVERYTHING = " union all ".join(_rows(table) for table in tables.SQLModel.metadata.sorted_tables)

_TABLES = [table.name for table in tables.SQLModel.metadata.sorted_tables]
# Made once in a database, and functions, whose statements are planned once: one is called for
# every effect, the other for every fault.
_MAKE = (
    "create schema kept",
    *(f"create table kept.{name} as table public.{name} with no data" for name in _TABLES),
    "create table kept.sequences (name text, last_value bigint, start_value bigint)",
    f"""create function kept.keep() returns void language plpgsql as $$ begin
      {"".join(f"delete from kept.{n}; insert into kept.{n} table public.{n};" for n in _TABLES)}
      delete from kept.sequences;
      insert into kept.sequences select sequencename, last_value, start_value
        from pg_sequences where schemaname = 'public';
    end $$""",  # noqa: S608 - names of our tables
    f"""create function kept.bring_back() returns void language plpgsql as $$ begin
      set local session_replication_role = replica;  -- past the guards of what is append-only
      {"".join(f"delete from public.{name};" for name in _TABLES)}
      {"".join(f"insert into public.{n} overriding system value table kept.{n};" for n in _TABLES)}
      perform setval(name::regclass, coalesce(last_value, start_value),
                     last_value is not null) from kept.sequences;
    end $$""",  # noqa: S608 - names of our tables
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A moment that a database, a mailbox and a CRM can be brought back to."""

    database: Database
    mailbox: Path
    letters: Path
    crm: Crm
    mails: frozenset[Path]
    printed: dict[str, bytes]
    deals: dict[str, Any]

    @classmethod
    async def now(cls, database: Database, mailbox: Path, letters: Path, crm: Crm) -> Kept:
        """Keep the present moment; it lies in a schema ``kept`` until the next one is kept."""
        async with database.engine.begin() as connection:
            known = await connection.exec_driver_sql("select to_regclass('kept.sequences')")
            if known.scalar() is None:
                for statement in _MAKE:
                    await connection.exec_driver_sql(statement)
            await connection.exec_driver_sql("select kept.keep()")
        mails = frozenset(mailbox.iterdir())  # noqa: ASYNC240 - a test
        deals = copy.deepcopy(crm.objects)
        return cls(database, mailbox, letters, crm, mails, _files(letters), deals)

    async def bring_back(self) -> None:
        """Undo everything since then."""
        async with self.database.engine.begin() as connection:
            await connection.exec_driver_sql("select kept.bring_back()")
        for path in self.mailbox.iterdir():
            if path not in self.mails:
                path.unlink()
        for path in self.letters.iterdir():
            path.unlink()
        for name, content in self.printed.items():
            (self.letters / name).write_bytes(content)
        self.crm.objects = copy.deepcopy(self.deals)

    async def books(self) -> Books:
        """Return every row, every mail and every thing in the CRM as a line."""
        async with self.database.engine.connect() as connection:
            rows = (await connection.exec_driver_sql(_EVERYTHING)).scalars()
            found = Counter(without_numbers(row) for row in rows)
        for mail in list_mails(self.mailbox):
            found[f"mail {mail.kind} {mail.case_id} {mail.message_id} {mail.attachments}"] += 1
        for name, content in _files(self.letters).items():
            said = (
                hashlib.sha256(content).hexdigest() if name.endswith(".pdf") else content.decode()
            )
            found[f"letters {name} {said}"] += 1
        for kind, things in self.crm.objects.items():
            found.update(f"crm {kind} {json.dumps(thing)}" for thing in things.values())
        return found


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def difference(expected: Books, found: Books) -> list[str]:
    """Say what is missing and what is too much."""
    missing = [f"missing: {line}" for line in (expected - found).elements()]
    return missing + [f"too much: {line}" for line in (found - expected).elements()]


def without_numbers(words: str) -> str:
    """Return words without the numbers that the database gives."""
    return _NUMBERED.sub(r"\1\2#", words)
