"""What people agree with debtors, as they say it: commands, refusals, and what they print."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from sqlalchemy import text

from models.store import customers, tasks
from models.tables import CaseFile

from .conftest import Api, Cli, one_sentence
from .open_items import csv_file, row

TODAY = datetime.now(ZoneInfo("Europe/Berlin")).date()


def day(days: int) -> str:
    """A date so many days from today."""
    return str(TODAY + timedelta(days=days))


@pytest_asyncio.fixture
async def owing(api: Api) -> Api:
    """D-1 owes 100.00 since February and 50.00 in the far future; D-2 owes 30.00; D-3 nothing."""
    far = {"invoice_date": day(-3), "due_date": day(200)}
    content = csv_file(
        row(amount="100.00"),
        row(invoice_no="ALT-2", amount="50.00", **far),
        row(customer_no="D-2", name="Zwei", email="", invoice_no="ALT-3", amount="30.00"),
        row(customer_no="D-3", name="Drei", email="", invoice_no="ALT-4", amount="1.00"),
    )
    done = await api.http.post("/api/imports/open-items", content=content)
    assert done.status_code == 200, done.text
    body = {"invoice_no": "ALT-4", "amount": "1.00", "currency": "EUR", "reference": "B-0"}
    assert (await api.post("/api/payments", body)).status_code == 201
    return api


async def call_task(api: Api) -> int:
    """Put a task to call D-1 into the list, as a rule does."""
    async with api.database.transaction() as session:
        made = await tasks.create(
            session,
            key="call-1",
            kind="dunning_call",
            title="Call",
            description="",
            assignee="anna",
            due=date(2026, 12, 1),
            case_id="dunning-D-1",
            at=datetime.now(UTC),
            context={"rule": "Telefonanruf"},
        )
    return made or 0


async def test_a_promise_from_the_call_to_the_money(owing: Api, zahltag: Cli) -> None:
    """Said, replaced, shown, kept by the money; all of it in the history, by name."""
    said = await zahltag("promise", "add", "D-1", "--date", day(5), "--as", "anna")
    assert said.out == f"Customer D-1 has promised to pay all that is due by {day(5)}.\n"
    known = await zahltag("promise", "add", "D-1", "--date", day(5))
    assert (known.code, known.out) == (0, "This was known; nothing was changed.\n")
    other = await zahltag("promise", "add", "D-1", "--date", day(9), "--amount", "60")
    assert other.out == f"Customer D-1 has promised to pay 60.00 EUR by {day(9)}.\n"
    rows = (await zahltag("promise", "list", "--json")).json
    assert [(r["id"], r["date"], r["amount"], r["status"]) for r in rows] == [
        (2, day(9), "60.00", "open"),
        (1, day(5), None, "withdrawn"),
    ]
    shown = (await zahltag("customer", "show", "D-1", "--json")).json
    assert shown["promise"] == {"date": day(9), "amount": "60.00", "currency": "EUR"}
    paid = ("payment", "record", "--invoice", "ALT-1", "--currency", "EUR")
    assert (await zahltag(*paid, "--amount", "60.00", "--reference", "B-1")).code == 0
    assert (await zahltag("customer", "show", "D-1", "--json")).json["promise"] is None
    statuses = {r["id"]: r["status"] for r in (await zahltag("promise", "list", "--json")).json}
    assert statuses == {1: "withdrawn", 2: "kept"}
    async with owing.database.transaction() as session:
        lines = await session.execute(
            text("select event, actor from history where case_id = 'dunning-D-1' order by id")
        )
        assert [tuple(line) for line in lines] == [
            ("promise_added", "anna"),
            ("promise_replaced", "admin"),
            ("promise_added", "admin"),
            ("promise_kept", "zahltag"),
        ]


@pytest.mark.usefixtures("owing")
async def test_a_promise_is_withdrawn(zahltag: Cli) -> None:
    """With or without its id; again is known; what was replaced stays in the history."""
    await zahltag("promise", "add", "D-1", "--date", day(5))
    (await zahltag("promise", "remove", "D-1", 7)).refused("has no promise 7")
    assert "is withdrawn" in (await zahltag("promise", "remove", "D-1", 1)).out
    for arguments in (("D-1",), ("D-1", 1)):
        again = await zahltag("promise", "remove", *arguments)
        assert (again.code, "was known" in again.out) == (0, True)
    (await zahltag("promise", "remove", "D-2")).refused("No promise of customer D-2 is open")


async def test_instalments_as_people_see_them(owing: Api, zahltag: Cli) -> None:
    """Created, shown, paid in part, cancelled."""
    agree = ("instalments", "create", "D-1", "--count", 3, "--first", day(10), "--every", "week")
    made = await zahltag(*agree, "--total", "100.00")
    assert [line.rstrip() for line in made.out.splitlines()[-3:]] == [
        f" 1  {day(10)}   33.33  open",
        f" 2  {day(17)}   33.33  open",
        f" 3  {day(24)}   33.34  open",
    ]
    monthly = [word if word != "week" else "weekly" for word in agree]
    again = await zahltag(*monthly, "--total", "100.00")
    assert again.out == "This was known; nothing was changed.\n"
    (await zahltag(*agree, "--total", "90.00")).refused("Other instalments are agreed")
    (await zahltag("promise", "add", "D-1", "--date", day(5))).refused("cancel them first")
    (await zahltag("promise", "remove", "D-1")).refused("instalments cancel D-1")
    body = {"invoice_no": "ALT-1", "amount": "40.00", "currency": "EUR", "reference": "B-1"}
    await owing.post("/api/payments", body)
    plan = (await zahltag("instalments", "show", "D-1", "--json")).json
    assert [one["status"] for one in plan["instalments"]] == ["kept", "open", "open"]
    assert (plan["total"], plan["left"], plan["next_date"]) == ("100.00", "66.67", day(17))
    shown = (await zahltag("customer", "show", "D-1", "--json")).json["instalments"]
    assert shown == {name: plan[name] for name in shown}
    for expected in ("are cancelled", "was known"):
        done = await zahltag("instalments", "cancel", "D-1", "--reason", "did not pay")
        assert (done.code, expected in done.out) == (0, True)
    plan = (await zahltag("instalments", "show", "D-1", "--json")).json
    assert (plan["status"], plan["reason"]) == ("cancelled", "did not pay")
    assert [one["status"] for one in plan["instalments"]] == ["kept", "withdrawn", "withdrawn"]
    whole = (await zahltag(*agree, "--json")).json
    assert (whole["total"], whole["known"]) == ("110.00", False)


@pytest.mark.usefixtures("owing")
async def test_disputes_and_blocks_as_people_see_them(zahltag: Cli) -> None:
    """Listed, shown with the customer, ended."""
    opened = await zahltag("dispute", "open", "ALT-1", "--reason", "half of it was broken")
    assert opened.out == "Invoice ALT-1 is disputed and is not dunned.\n"
    await zahltag("block", "set", "D-2", "--until", day(30), "--reason", "asked for patience")
    await zahltag("block", "set", "D-1", "--invoice", "ALT-2", "--reason", "wrong address")
    await zahltag("customer", "insolvent", "D-2", "--since", day(-2))
    (disputed,) = (await zahltag("dispute", "list", "--json")).json
    assert (disputed["invoice_no"], disputed["open"], disputed["reason"]) == (
        *("ALT-1", "100.00", "half of it was broken"),
    )
    listed = await zahltag("block", "list")
    assert [line.split()[:3] for line in listed.out.splitlines()[1:]] == [
        ["D-2", "-", "insolvency"],
        ["D-2", "-", "block"],
        ["D-1", "ALT-2", "block"],
    ]
    one = (await zahltag("customer", "show", "D-1", "--json")).json
    two = (await zahltag("customer", "show", "D-2", "--json")).json
    assert [d["invoice_no"] for d in one["disputes"]] == ["ALT-1"]
    assert [(b["kind"], b["invoice_no"]) for b in one["blocks"]] == [("block", "ALT-2")]
    assert (one["blocked"], two["blocked"]) == (False, True)
    assert [(b["kind"], b["until"]) for b in two["blocks"]] == [
        *(("insolvency", None), ("block", day(30))),
    ]
    for agree in (("promise", "add", "D-2", "--date", day(1)), (*PLAN[:2], "D-2", *TWICE)):
        (await zahltag(*agree)).refused("is insolvent: file the claims")
    for people in (("customer", "show", "D-1"), ("dispute", "list"), ("task", "show", "1")):
        assert (await zahltag(*people)).code == 0
    for expected in ("is closed", "was known"):
        done = await zahltag("dispute", "close", "ALT-1", "--outcome", "10 percent off")
        assert (done.code, expected in done.out) == (0, True)
    for expected in ("no longer blocked", "was known"):
        done = await zahltag("block", "lift", "D-1", "--invoice", "ALT-2")
        assert (done.code, expected in done.out) == (0, True)
    assert "no longer insolvent" in (await zahltag("customer", "solvent", "D-2")).out
    assert (await zahltag("dispute", "list")).out == "No invoice is disputed.\n"


async def test_a_call_task_is_done_with_what_came_of_it(owing: Api, zahltag: Cli) -> None:
    """A promise with its note; the customer's page shows the call; other tasks stay free."""
    number = await call_task(owing)
    finish = ("task", "done", number, "--outcome", "promised", "--date", day(3))
    said = await zahltag(*finish, "--note", "pays on Friday", "--as", "anna")
    assert said.out == f"Task {number} is done.\n"
    again = await zahltag(*finish, "--note", "pays on Friday")
    assert again.out == f"Task {number} was done before; nothing was changed.\n"
    (await zahltag(*finish)).refused("was done before with the outcome 'promised'")
    shown = (await zahltag("customer", "show", "D-1", "--json")).json
    assert (shown["calls"], shown["calls_count"]) == (
        [{"date": str(TODAY), "outcome": "promised", "by": "anna"}],
        1,
    )
    assert shown["promise"]["date"] == day(3)
    task = (await zahltag("task", "show", number, "--json")).json
    assert task["context"]["call"] == {"promised_for": day(3), "note": "pays on Friday"}
    for expected in ("is noted", "was known"):
        done = await zahltag("call", "note", "D-2", "--outcome", "not_reached")
        assert (done.code, expected in done.out) == (0, True)
    await zahltag("customer", "insolvent", "D-2", "--since", day(-2))
    other = number + 1
    (await zahltag("task", "done", other, "--outcome", "x", "--note", "y")).refused("is no call")
    assert (await zahltag("task", "done", other, "--outcome", "filed as no. 7")).code == 0


PLAN = ("instalments", "create", "D-1")
TWICE = ("--count", 2, "--first", day(1))
REFUSED: list[tuple[tuple[object, ...], str]] = [
    (("promise", "add", "D-9", "--date", day(1)), "no customer D-9"),
    (("promise", "add", "D-1", "--date", day(-1)), "must lie between"),
    (("promise", "add", "D-1", "--date", day(367)), "must lie between"),
    (("promise", "add", "D-1", "--date", "tomorrow"), "a date such as"),
    (("promise", "add", "D-1", "--date", "20261130"), "a date such as"),
    (("promise", "add", "D-1", "--date", day(1), "--amount", "0"), "a sum above 0"),
    (("promise", "add", "D-1", "--date", day(1), "--amount", "-1"), "a sum above 0"),
    (("promise", "add", "D-1", "--date", day(1), "--amount", "1e3"), "a sum with a decimal point"),
    (("promise", "add", "D-1", "--date", day(1), "--amount", "1.005"), "at most 2 decimals"),
    (("promise", "add", "D-1", "--date", day(1), "--amount", "150.01"), "owes 150.00 EUR"),
    (("promise", "add", "D-1", "--date", day(1), "--currency", "CHF"), "owes nothing in CHF"),
    (("promise", "add", "D-1", "--date", day(1), "--currency", "EURO"), "ISO 4217"),
    (("promise", "add", "D-3", "--date", day(1)), "owes nothing"),
    (("promise", "remove", "D-1"), "No promise"),
    (("promise", "remove", "D-9"), "no customer D-9"),
    (("instalments", "show", "D-1"), "No instalments were agreed"),
    (("instalments", "cancel", "D-1", "--reason", "x"), "No instalments were agreed"),
    (("dispute", "open", "X-1", "--reason", "x"), "no invoice X-1"),
    (("dispute", "open", "ALT-1", "--reason", " "), "one line of 1 to 500"),
    (("dispute", "open", "ALT-4", "--reason", "x"), "Nothing is open"),
    (("dispute", "close", "ALT-1", "--outcome", "x"), "is not disputed"),
    (("block", "set", "D-1", "--reason", "x", "--until", day(-1)), "must lie between"),
    (("block", "set", "D-1", "--reason", "x", "--until", "2206-01-01"), "without an end"),
    (("block", "set", "D-1", "--reason", "x", "--invoice", "ALT-3"), "not one of customer D-1"),
    (("block", "lift", "D-1"), "is not blocked"),
    (("block", "lift", "D-1", "--invoice", "ALT-9"), "no invoice ALT-9"),
    (("customer", "insolvent", "D-1", "--since", day(1)), "must lie between"),
    (("customer", "insolvent", "D-9", "--since", day(-1)), "no customer D-9"),
    (("customer", "solvent", "D-1"), "not known as insolvent"),
    (("call", "note", "D-1", "--outcome", "asleep"), "one of reached"),
    (("call", "note", "D-1", "--outcome", "promised"), "which day was promised"),
    (("account-manager", "set", "Max", "--email", "max"), "an e-mail address"),
]
REFUSED += [
    ((*PLAN, "--count", 1, "--first", day(1), "--every", "week"), "greater than or equal to 2"),
    ((*PLAN, "--count", 61, "--first", day(1), "--every", "week"), "less than or equal to 60"),
    ((*PLAN, "--count", 2, "--first", day(-1), "--every", "week"), "must lie between"),
    ((*PLAN, "--count", 2, "--first", day(1), "--every", "day"), "week or month"),
    ((*PLAN, "--count", 2, "--first", day(1), "--every", "week", "--total", "200"), "owes 150.00"),
    ((*PLAN, "--count", 3, "--first", day(1), "--every", "week", "--total", "0.02"), "take fewer"),
]


async def test_nonsense_is_refused_in_one_sentence(owing: Api, zahltag: Cli) -> None:
    """Exit 1, nothing on stdout, nothing changed; a viewer may change nothing at all."""
    number = await call_task(owing)
    before = await owing.counts()
    finish = ("task", "done", number, "--outcome")
    more = [
        ((*finish, "called"), "one of reached"),
        ((*finish, "reached", "--date", day(1)), "belong to the outcome promised"),
        ((*finish, "disputed", "--invoice", "ALT-3"), "not one of customer D-1"),
    ]
    for arguments, words in [*REFUSED, *more]:
        (await zahltag(*arguments)).refused(words)
    for arguments in (
        ("promise", "add", "D-1", "--date", day(1)),
        ("dispute", "open", "ALT-1", "--reason", "x"),
        ("block", "set", "D-1", "--reason", "x"),
        ("customer", "insolvent", "D-1", "--since", day(-1)),
        ("call", "note", "D-1", "--outcome", "reached"),
        ("account-manager", "set", "Max", "--email", "m@x.example"),
        (*finish, "reached"),
        (*PLAN, "--count", 2, "--first", day(1), "--every", "week"),
    ):
        (await zahltag(*arguments, "--as", "viktor")).refused("needs the role finance")
    assert await owing.counts() == before


async def test_lists_are_empty_sentences_and_json(zahltag: Cli) -> None:
    """Each list says that there is nothing, in a sentence or as an empty array."""
    for group in ("promise", "dispute", "block", "account-manager"):
        assert (await zahltag(group, "list")).out.endswith(".\n")
        assert (await zahltag(group, "list", "--json")).json == []


async def test_our_own_invoices_keep_promises_too(api: Api, good_order: dict[str, Any]) -> None:
    """In the transaction that settles them: by the case of an order."""
    await api.submit(good_order)
    case_id = "order-zahltag-ZT-1001"
    await api.work(case_id)
    case = await api.get(f"/api/cases/{case_id}")
    path = f"/api/customers/{case['customer_no']}/promises"
    body = {"date": day(9), "amount": "119.00"}
    assert (await api.post(path, body)).json()["known"] is False
    paid = {"invoice_no": case["invoice_no"], "currency": "EUR"}
    await api.post("/api/payments", {**paid, "amount": "119.00", "reference": "B-1"})
    await api.work(case_id)
    (kept,) = await api.get("/api/promises")
    assert kept["status"] == "kept"


async def test_an_open_dunning_case_is_told(owing: Api) -> None:
    """Of every change, once each: the outbox holds it until the workflow has it."""
    at = datetime.now(UTC)
    async with owing.database.transaction() as session:
        customer = await customers.get(session, "D-1")
        session.add(
            CaseFile(
                id="dunning-D-1",
                kind="dunning",
                customer_id=customer.id,
                **dict.fromkeys(("channel", "order_no", "next_step", "why", "waiting_for"), ""),
                **dict.fromkeys(("status", "payment_status", "fulfilment_status"), "dunning"),
                **dict.fromkeys(("return_status", "accounting_status"), ""),
                currency="EUR",
                opened_at=at,
                updated_at=at,
            )
        )
    for path, body in (
        ("customers/D-1/promises", {"date": day(3)}),
        ("customers/D-1/promises", {"date": day(3)}),
        ("customers/D-1/promises/remove", {}),
        ("invoices/ALT-1/dispute", {"reason": "x"}),
        ("invoices/ALT-1/dispute/close", {"outcome": "x"}),
        ("customers/D-1/block", {"reason": "x"}),
        ("customers/D-1/calls", {"outcome": "reached"}),
    ):
        answer = await owing.post(f"/api/{path}", body)
        assert answer.status_code == 200, answer.text
    async with owing.database.transaction() as session:
        told = await session.execute(
            text("select payload ->> 'outbox_id' from outbox where case_id = 'dunning-D-1'")
        )
        causes = list(told.scalars())
    assert (len(causes), len(set(causes))) == (6, 6)


async def test_who_looks_after_whom(owing: Api, zahltag: Cli, tmp_path: Path) -> None:
    """A file assigns customers; the same again changes nothing; the list shows who is reachable."""
    file = tmp_path / "managers.csv"
    file.write_text("customer_no,manager,email\nD-1,Änne,a@x.example\nD-2,Änne,\n")
    taken = await zahltag("import", "account-managers", file)
    assert (taken.code, "2 of 2 customers" in taken.out) == (0, True)
    before = await owing.counts()
    again = await zahltag("import", "account-managers", file)
    assert again.out == "Known before: 2 customers; nothing was changed.\n"
    assert await owing.counts() == before
    await zahltag("customer", "edit", "D-3", "--manager", "Otto")
    listed = (await zahltag("account-manager", "list", "--json")).json
    assert [(m["id"], m["email"], m["customers"]) for m in listed] == [
        *(("Otto", None, 1), ("Änne", "a@x.example", 2)),
    ]
    assert (
        "reach Otto" in (await zahltag("account-manager", "set", "Otto", "--email", "o@x.de")).out
    )
    known = await zahltag("account-manager", "set", "Otto", "--email", "o@x.de")
    assert "was known" in known.out
    assert (await zahltag("customer", "show", "D-2", "--json")).json["manager"] == "Änne"
    file.write_text("customer_no;manager;email\nD-2;Otto;otto@x.example\n")
    assert (await zahltag("import", "account-managers", file, "--json")).json == {
        "lines": 1,
        "customers": 1,
        "managers": 1,
    }


async def test_every_bad_line_of_account_managers_is_listed(owing: Api) -> None:
    """With line and column; and nothing of the file is taken."""
    before = await owing.counts()
    lines = (
        "customer_no,manager,email",
        "D-1,Max,m@x.example",
        "D-2,Max,other@x.example",
        "D-9,Max,",
        "D-1,Eva,e@x.example",
        "D-3,,",
        "D-3,Eva,eva",
        "D-3,Nobody,",
        "D-3",
    )
    answer = await owing.http.post("/api/imports/account-managers", content="\n".join(lines))
    assert answer.status_code == 422
    assert one_sentence(answer).startswith("Nothing was imported: 7 values are wrong in 7 lines")
    assert [p["field"] for p in answer.json()["problems"]] == [
        *("line 3, email", "line 4, customer_no", "line 5, customer_no", "line 6, manager"),
        *("line 7, email", "line 8, email", "line 9"),
    ]
    for content, words in (
        ("", "the file is empty"),
        ("customer_no,manager", "line 1, email: expected this column once"),
        ("customer_no,manager,email,x", "line 1, x: expected one of"),
        (b"customer_no,manager,email\n\xff", "not in UTF-8"),
        ('customer_no,manager,email\n"D', "line 2 is not CSV"),
    ):
        refused = await owing.http.post("/api/imports/account-managers", content=content)
        said = [one_sentence(refused)]
        said += [f"{p['field']}: expected {p['expected']}" for p in refused.json()["problems"]]
        assert (refused.status_code, any(words in one for one in said)) == (422, True), said
    assert await owing.counts() == before


DATEV_HEAD = (
    "Konto;Name (Adressattyp Unternehmen);Leerfeld;Leerfeld;Kunden-/Lief.-Nr.;Vertreter;"
    "Sachbearbeiter"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("mark", ['"EXTF";700;16;"Debitoren/Kreditoren";5;;;\r\n', ""])
async def test_datev_knows_who_is_in_charge(owing: Api, mark: str, encoding: str) -> None:
    """Its master data as exported: other accounts are left out, another column can be named."""
    lines = (
        DATEV_HEAD,
        '10001;"Alt & Söhne";;;D-1;"Olga";"Jörg"',
        '70001;"Lieferant";;;L-1;"Olga";"Jörg"',
        'D-2;"Zwei";;;D-3;"";""',
        'D-2;"Zwei";;;;"";"Jörg"',
    )
    content = (mark + "\r\n".join(lines) + "\r\n").encode(encoding)
    path = "/api/imports/account-managers"
    missing = await owing.http.post(path, content=content)
    line = 6 if mark else 5
    assert missing.json()["problems"][0] == {
        "field": f"line {line}, email",
        "expected": "an e-mail address: set it first with `zahltag account-manager set`",
        "found": "Jörg has none",
    }
    for name in ("Jörg", "Olga"):
        await owing.post("/api/account-managers", {"name": name, "email": "j@x.example"})
    done = await owing.http.post(path, content=content)
    assert done.json() == {"lines": 1, "customers": 1, "managers": 0}
    assert (await owing.get("/api/customers/D-2"))["manager"] == "Jörg"
    other = f"{path}?manager_column=Vertreter&customer_column=Kunden-/Lief.-Nr."
    done = await owing.http.post(other, content=content)
    assert done.json() == {"lines": 1, "customers": 1, "managers": 0}
    assert (await owing.get("/api/customers/D-1"))["manager"] == "Olga"
    wrong = await owing.http.post(f"{path}?manager_column=Leerfeld", content=content)
    assert "Leerfeld" in wrong.json()["problems"][0]["field"]


async def test_two_imports_of_account_managers_at_once(owing: Api) -> None:
    """One after the other; each customer's history has each change once."""
    files = [f"customer_no,manager,email\nD-1,M{n},m{n}@x.example\n" for n in (1, 1, 2)]
    path = "/api/imports/account-managers"
    answers = await asyncio.gather(*(owing.http.post(path, content=file) for file in files))
    assert [answer.status_code for answer in answers] == [200] * 3
    changes = sum(answer.json()["customers"] for answer in answers)
    async with owing.database.transaction() as session:
        lines = await session.execute(
            text("select count(*) from history where event = 'customer_changed'")
        )
        assert lines.scalar_one() == changes
