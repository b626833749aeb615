"""Which tables hold the facts, in which order they depend on each other, and what is in them."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from sqlmodel import SQLModel

import models.tables  # noqa: F401 - fills the metadata
from starter.backup.manifest import Story

if TYPE_CHECKING:
    from asyncpg import Connection

VERSION_TABLE = "alembic_version"
# What a fresh installation has by itself.
_SETTINGS = frozenset({"company", "channel"})
# What people count.
_TOLD = {
    "sales_order": "orders",
    "invoice": "invoices",
    "payment": "payments",
    "customer": "customers",
}


async def schema_version(connection: Connection) -> str | None:
    """The version of the schema; None where there is none."""
    if await connection.fetchval("select to_regclass($1)", VERSION_TABLE) is None:
        return None
    found = await connection.fetchval(f"select version_num from {VERSION_TABLE}")  # noqa: S608 - a constant
    return str(found) if found else None


async def tables(connection: Connection) -> dict[str, list[str]]:
    """Every ordinary table of the schema but Alembic's own, with its columns, parents first."""
    columns = await connection.fetch(_COLUMNS)
    found: dict[str, list[str]] = {}
    for row in columns:
        found.setdefault(row["name"], []).append(row["column"])
    found.pop(VERSION_TABLE, None)
    graph: dict[str, set[str]] = {name: set() for name in found}
    for row in await connection.fetch(_PARENTS):
        if row["child"] != row["parent"] and row["child"] in graph:
            graph[row["child"]].add(row["parent"])
    return {name: found[name] for name in TopologicalSorter(graph).static_order()}


def foreign(names: list[str]) -> list[str]:
    """Those tables that are not Zahltag's, as far as this version knows."""
    return sorted({*names} - {*SQLModel.metadata.tables})


async def story(connection: Connection) -> Story:
    """What tells this world from another one; the schema is there."""
    began, restores = await connection.fetchrow(
        "select min(at), count(*) filter (where case_id = 'restore') from history"
    )
    last = await connection.fetchval("select invoice_no from invoice order by id desc limit 1")
    notices = 0
    if await connection.fetchval("select to_regclass('dunning_notice')") is not None:
        notices = await connection.fetchval(
            "select count(*) from dunning_notice where document_id is not null"
        )
    return Story(began, restores, last or "", notices)


async def what_is_there(connection: Connection) -> str:
    """Say in a few words what facts a database holds; empty where there are none."""
    if await schema_version(connection) is None:
        return ""
    names = await tables(connection)
    counts = {
        name: await connection.fetchval(f"select count(*) from {name}")  # noqa: S608 - ours
        for name in names
        if name not in _SETTINGS
    }
    said = [f"{counts[name]} {word}" for name, word in _TOLD.items() if counts.get(name)]
    if not said and any(counts.values()):
        return f"{sum(counts.values())} rows"
    if not said and await _company_of_its_own(connection, names):
        return "a company that somebody has set"
    return ", ".join(said)


async def _company_of_its_own(connection: Connection, names: dict[str, list[str]]) -> bool:
    if "company" not in names:
        return False
    return bool(await connection.fetchval("select count(*) from company where set_by <> 'zahltag'"))


async def drop_everything(connection: Connection) -> None:
    """Remove our tables, their trigger functions and sequences; what others built on them stops it.

    Only what is ours: extensions, views and functions that somebody added stay.
    """
    names = ", ".join((*await tables(connection), VERSION_TABLE))
    functions = [row["name"] for row in await connection.fetch(_FUNCTIONS)]
    sequences = [row["name"] for row in await connection.fetch(_SEQUENCES)]
    await connection.execute(f"drop table if exists {names}")
    for kind, each in (("function", functions), ("sequence", sequences)):
        for name in each:
            await connection.execute(f"drop {kind} {name}")


_COLUMNS = """
select c.relname as name, a.attname as column
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
order by c.relname, a.attnum"""
_PARENTS = """
select child.relname as child, parent.relname as parent
from pg_constraint k join pg_class child on child.oid = k.conrelid
join pg_class parent on parent.oid = k.confrelid
where k.contype = 'f' and child.relnamespace = current_schema()::regnamespace"""
_FUNCTIONS = """
select distinct t.tgfoid::regprocedure::text as name
from pg_trigger t join pg_class c on c.oid = t.tgrelid
where not t.tgisinternal and c.relnamespace = current_schema()::regnamespace"""
_SEQUENCES = """
select c.oid::regclass::text as name from pg_class c
where c.relkind = 'S' and c.relnamespace = current_schema()::regnamespace
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype in ('a', 'i', 'e'))"""
