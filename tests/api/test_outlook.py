"""What comes next with a customer, and why, as lists and shows say it."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.calendar import local_date
from domain.dunning.case import Status, WaitingFor
from domain.dunning.prospect import Forecast
from models.store.dunning import accounts
from models.tables import CaseFile
from tests.domain.dunning.rules import condition

from .conftest import Api, Cli
from .open_items import csv_file, row

ALWAYS = {
    "name": "Erinnerung",
    "interval": "daily",
    "hour": 12,
    "action": "email_or_letter",
    "filters": [condition("oldest_overdue_days", ">", 6), condition("debt", ">=", 100)],
}
NOTHING = "nothing that a rule does on its own"


async def importing(api: Api, *rows: dict[str, Any]) -> None:
    """Take over open items."""
    answer = await api.http.post("/api/imports/open-items", content=csv_file(*rows))
    assert answer.status_code == 200, answer.text


async def due(api: Api, days: int) -> None:
    """Let everything be so many days overdue."""
    day = local_date(datetime.now(UTC), "Europe/Berlin") - timedelta(days)
    async with api.database.transaction() as session:
        await session.execute(text("update open_item set due_date = :day"), {"day": day})


async def says(api: Api, customer_no: str = "D-1") -> tuple[str, str]:
    """What show says of a customer; the list says the same."""
    shown = await api.get(f"/api/customers/{customer_no}")
    (listed,) = await api.get("/api/customers")
    assert {**shown, **listed} == shown  # show says more than the list, and nothing else
    return shown["next_step"], shown["why"]


async def project(api: Api, status: Status, waiting_for: WaitingFor, **more: Any) -> None:
    """Give the customer a dunning case that stands like this."""
    at = datetime.now(UTC)
    async with api.database.transaction() as session:
        customer_id = (await session.execute(text("select id from customer"))).scalar_one()
        session.add(
            CaseFile(
                id="dunning-D-1",
                kind="dunning",
                customer_id=customer_id,
                channel="",
                order_no="",
                status=status,
                payment_status="",
                fulfilment_status="",
                return_status="",
                accounting_status="",
                currency="EUR",
                next_step="what was decided",
                why="as it was then",
                waiting_for=waiting_for,
                opened_at=at,
                updated_at=at,
                **more,
            )
        )


async def test_a_rule_will_take_the_customer(api: Api) -> None:
    """Which, when, why, and what would stop it; when it is paused, why nothing comes."""
    await importing(api, row())
    await due(api, 2)
    assert await says(api) == (NOTHING, "no dunning rule is active")
    assert (await api.post("/api/rules", ALWAYS)).is_success
    step, why = await says(api)
    on = step.removeprefix("notice 1 (payment reminder) on ")[:10]
    assert step.endswith(f"{on} by rule 'Erinnerung', after approval")
    assert 3 <= (date.fromisoformat(on) - datetime.now(UTC).date()).days <= 7
    assert why == (
        "the oldest invoice is 7 days overdue and 119.00 EUR are open; not sent if at least"
        " 19.01 EUR arrive before, a payment date is agreed or dunning is blocked"
    )
    payment = {"invoice_no": "ALT-1", "amount": "19.01", "currency": "EUR", "reference": "B-1"}
    assert (await api.post("/api/payments", payment)).status_code == 201
    assert await says(api) == (
        NOTHING,
        "no rule takes this customer within 60 days: 'Erinnerung' wants debt >= 100, but it is"
        " 99.99",
    )
    payment |= {"amount": "99.99", "reference": "B-2"}
    assert (await api.post("/api/payments", payment)).status_code == 201
    assert await says(api) == ("nothing", "no case is open")


async def test_an_order_speaks_until_a_rule_does(api: Api, good_order: dict[str, Any]) -> None:
    """Who is not overdue is the order's business, unless a rule will take them."""
    await api.submit(good_order)
    progress = await api.work("order-zahltag-ZT-1001")
    number = progress.customer_no
    order_says = (progress.plan.next_step, progress.plan.why)
    assert await says(api, number) == order_says
    debts = {**ALWAYS, "filters": [condition("debt", ">", 1000)]}
    await api.post("/api/rules", debts)
    assert await says(api, number) == order_says
    await due(api, 1)
    assert (await says(api, number))[1].startswith("no rule takes this customer within 60 days")
    await api.post("/api/rules", {**ALWAYS, "name": "B"})
    assert "by rule 'B'" in (await says(api, number))[0]


async def test_a_dunning_case_under_way_speaks_first(api: Api) -> None:
    """While it waits for a person or for money; where it rests, the rules of now decide."""
    await importing(api, row())
    await due(api, 9)
    await api.post("/api/rules", ALWAYS)
    await project(api, Status.NEEDS_APPROVAL, WaitingFor.APPROVAL)
    was = ("what was decided", "as it was then")
    assert await says(api) == was
    shown = await api.get("/api/cases/dunning-D-1")
    assert (shown["next_step"], shown["why"], shown["next_step_at"]) == (*was, None)
    for change, rests in (
        ("status = 'on_hold', waiting_for = 'nothing'", False),
        ("status = 'on_hold', waiting_for = 'payment'", False),
        ("status = 'dunning', waiting_for = 'rule'", True),
        ("closed_at = now(), closed_as = 'closed'", True),
    ):
        async with api.database.transaction() as session:
            await session.execute(text(f"update case_file set {change}"))  # noqa: S608
        assert ((await says(api)) == was) is not rests
    shown = await api.get("/api/cases/dunning-D-1")
    assert (shown["next_step"], shown["why"]) == was  # closed: what it ended with


async def test_a_resting_case_shows_the_outlook(api: Api, zahltag: Cli) -> None:
    """Step, instant and reason as the rules stand now, whatever was decided before."""
    await importing(api, row())
    await due(api, 9)
    await project(api, Status.DUNNING, WaitingFor.RULE)
    assert (await api.get("/api/cases/dunning-D-1"))["why"] == "no dunning rule is active"
    await api.post("/api/rules", ALWAYS)
    shown = await api.get("/api/cases/dunning-D-1")
    assert (shown["next_step"], shown["why"]) == await says(api)
    async with api.database.transaction() as session:
        found = await accounts.outlook(session, await _customer_id(session), datetime.now(UTC))
    assert isinstance(found.found, Forecast)
    assert found.next_step == shown["next_step"]
    assert shown["next_step_at"] == found.found.run.at.isoformat().replace("+00:00", "Z")
    assert found.on is not None
    assert str(found.on) in shown["next_step"]
    ran = await zahltag("case", "list", "--status", "dunning", "--json")
    assert [case["id"] for case in ran.json] == ["dunning-D-1"]
    assert (await zahltag("case", "list", "--status", "on_hold", "--json")).json == []
    (await zahltag("case", "list", "--status", "asleep")).refused("expected one of checking,")


async def _customer_id(session: AsyncSession) -> int:
    return int((await session.execute(text("select id from customer"))).scalar_one())


async def test_the_outlook_speaks_german_too(api: Api) -> None:
    """For whoever asks for it; who owes nothing has none."""
    await importing(api, row())
    await due(api, 9)
    async with api.database.transaction() as session:
        customer_id, at = await _customer_id(session), datetime.now(UTC)
        found = await accounts.outlook(session, customer_id, at, "de")
        assert found.why == "keine Mahnregel ist aktiv"
        assert (found.on, found.at) == (None, None)
        nobody = await accounts.outlook(session, customer_id + 1, at)
        assert (nobody.next_step, nobody.why) == (NOTHING, "nothing is open")


async def test_a_long_list_is_quick(api: Api) -> None:
    """A thousand customers in arrears with five active rules: seconds would be too long."""
    await importing(
        api,
        *(
            row(
                customer_no=f"D-{n}",
                invoice_no=f"ALT-{n}-{i}",
                name=f"N {n}",
                email=f"n{n}@alt.example",
                amount=str(Decimal(100) + n),
            )
            for n in range(1000)
            for i in range(2)
        ),
    )
    await due(api, 9)
    for rule in await api.get("/api/rules"):
        await api.post(f"/api/rules/{rule['name']}/resume")
    begun = time.monotonic()
    found = await api.get("/api/customers")
    took = timedelta(seconds=time.monotonic() - begun)
    print(f"customer list of {len(found)}: {took.total_seconds():.2f} s")  # noqa: T201
    assert len(found) == 1000
    assert all("notice 1" in one["next_step"] for one in found)
    assert took < timedelta(seconds=10)  # some tenths on an idle machine
