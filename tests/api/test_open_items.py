"""Open items from elsewhere: all or nothing, once, in the same ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from domain.order import Address
from models.codec import dump_address
from tests import invariants

from .conftest import Api, Cli, one_sentence
from .open_items import COLUMNS, PLAIN, csv_file, row

PATH = "/api/imports/open-items"


async def take(api: Api, content: bytes) -> httpx.Response:
    """Send a file as a person of the finance team does."""
    return await api.http.post(PATH, content=content, headers={"X-Zahltag-User": "anna"})


async def scalar(api: Api, query: str) -> Any:
    """Read one value from the database."""
    async with api.database.transaction() as session:
        return (await session.execute(text(query))).scalar_one()


async def refused(api: Api, content: bytes) -> dict[str, str]:
    """Check that a file is refused and nothing changed; return field -> expectation and value."""
    before = await api.counts()
    answer = await take(api, content)
    assert answer.status_code == 422, answer.text
    assert one_sentence(answer).startswith("Nothing was imported: ")
    assert await api.counts() == before
    return {p["field"]: f"{p['expected']} | {p['found']}" for p in answer.json()["problems"]}


async def test_open_items_are_ours_from_then_on(api: Api) -> None:
    """Customer, invoice, posting and debt are there; the own series is untouched."""
    answer = await take(api, csv_file(row(), row(invoice_no="ALT-2", amount="0.50")))
    assert answer.json() == {"lines": 2, "invoices": 2, "customers": 1, "known": 0}
    (customer,) = await api.get("/api/customers")
    assert (customer["customer_no"], customer["debt"]) == ("D-1", "119.50")
    address = Address(
        name="Alt & Söhne GmbH",
        street="Altstraße 1",
        postcode="20095",
        city="Hamburg",
        country="DE",
    )
    assert await scalar(api, "select address from customer") == dump_address(address)
    assert customer["overdue"] == "119.50"
    invoice = await api.get("/api/invoices/ALT-1")
    assert (invoice["status"], invoice["open"], invoice["type"]) == (
        *("overdue", "119.00", "imported"),
    )
    assert (invoice["net"], invoice["document"]) == (None, None)
    missing = await api.call("GET", "/api/invoices/ALT-1/document")
    assert (missing.status_code, "imported without one" in one_sentence(missing)) == (404, True)
    assert await scalar(api, "select count(*) from invoice_counter") == 0
    assert (
        await scalar(api, "select count(*) from journal_entry where kind = 'opening_balance'") == 2
    )
    assert all(check["ok"] for check in (await api.get("/api/audit"))["checks"])
    await invariants.check(api.database)


async def test_the_same_file_again_changes_nothing(api: Api) -> None:
    """Known line by line, also after a payment; another file with one new line adds that one."""
    first = csv_file(row(dunning_level=1), row(invoice_no="ALT-2", dunning_level=0))
    await take(api, first)
    before = await api.counts()
    again = (await take(api, first)).json()
    assert again == {"lines": 2, "invoices": 0, "customers": 0, "known": 2}
    assert await api.counts() == before
    body = {"invoice_no": "ALT-1", "amount": "100.00", "currency": "EUR", "reference": "B-1"}
    assert (await api.post("/api/payments", body)).status_code == 201
    assert (await take(api, first)).json()["known"] == 2
    more = (await take(api, csv_file(row(), row(invoice_no="ALT-3")))).json()
    assert more == {"lines": 2, "invoices": 1, "customers": 0, "known": 1}
    await invariants.check(api.database)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": "120.00"}, "amount"),
        ({"due_date": "2026-02-02"}, "due_date"),
        ({"invoice_date": "2026-01-03"}, "invoice_date"),
        ({"currency": "CHF"}, "currency"),
        ({"customer_no": "D-2"}, "customer_no"),
    ],
)
async def test_the_same_invoice_with_other_values_is_refused(
    api: Api, change: dict[str, str], field: str
) -> None:
    """With both values, and the good lines of the file are not taken either."""
    await take(api, csv_file(row()))
    found = await refused(api, csv_file(row(invoice_no="ALT-9"), row(**change)))
    assert list(found) == [f"line 3, {field}"]
    assert "as imported before for ALT-1" in found[f"line 3, {field}"]


async def test_every_bad_value_is_listed_with_line_column_and_expectation(api: Api) -> None:
    """Of all lines at once, what only the whole file shows among them."""
    found = await refused(
        api,
        csv_file(
            row(last_notice_date=""),
            row(invoice_no="ALT-2", kind="b3b", email="alt", country="Xx", last_notice_date=""),
            row(invoice_no="ALT-3", due_date="2026-01-01", amount="1,5", last_notice_date=""),
            row(invoice_no="RE-2026-00001", amount="1.005", last_notice_date="2026-01-01"),
            row(name="Neu GmbH", currency="EURO", last_notice_date="2999-01-01"),
            row(invoice_no="ALT-1", name="Neu GmbH", last_notice_date=""),
            row(invoice_no="", amount="0", last_notice_date=""),
        ),
    )
    assert set(found) == {
        *("line 3, kind", "line 3, email", "line 3, country"),
        *("line 4, due_date", "line 4, amount"),
        *("line 5, invoice_no", "line 5, amount", "line 5, last_notice_date"),
        *("line 6, currency", "line 6, last_notice_date"),
        *("line 7, invoice_no", "line 7, name"),
        *("line 8, invoice_no", "line 8, amount"),
    }
    assert found["line 7, name"] == ("the same for customer D-1 as in line 2 | Neu GmbH")
    assert found["line 7, invoice_no"].endswith("ALT-1, as in line 2")
    assert found["line 4, amount"] == "a decimal number such as 119.00 | '1,5'"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\xff\xfe1\x002", "not in UTF-8"),
        (csv_file(row()).replace("Söhne".encode(), b"S\xf6hne"), "not in UTF-8"),
        (csv_file(row()) + b'"broken" quote,1\n', "line 3 is not CSV"),
    ],
)
async def test_what_is_no_such_file_is_refused(api: Api, content: bytes, said: str) -> None:
    """In one sentence."""
    before = await api.counts()
    answer = await take(api, content)
    assert (answer.status_code, said in one_sentence(answer)) == (422, True)
    assert await api.counts() == before


async def test_the_header_is_checked(api: Api) -> None:
    """Missing, unknown and doubled columns are named at once; order and capitals do not matter."""
    found = await refused(api, b"customer_no,Name,kind,name,age\n")
    assert {"line 1, age", "line 1, name", "line 1, invoice_no"} <= set(found)
    assert "dunning_level" in found["line 1, age"]
    backwards = {name.upper(): row()[name] for name in reversed(COLUMNS)}
    assert (await take(api, csv_file(backwards))).json()["invoices"] == 1
    short = await refused(api, csv_file(row(invoice_no="ALT-5")) + b"D-1,x\n")
    assert short["line 3"] == "14 columns separated by ',' | 2"


async def test_both_spellings_with_and_without_a_mark(api: Api) -> None:
    """Semicolon with decimal comma, also as Excel saves it (BOM, CRLF); the other is refused."""
    german = csv_file(row(amount="1119,50", credit_limit="2000,00"), semicolon=True)
    content = b"\xef\xbb\xbf" + german.replace(b"\n", b"\r\n")
    assert (await take(api, content)).json()["invoices"] == 1
    assert (await api.get("/api/invoices/ALT-1"))["total"] == "1119.50"
    for wrong in ("119.00", "1.119,00", "1e3", "-5,00", "NaN"):
        found = await refused(api, csv_file(row(invoice_no="X", amount=wrong), semicolon=True))
        assert list(found) == ["line 2, amount"]


async def test_a_value_may_go_over_lines_and_empty_lines_are_left_out(api: Api) -> None:
    """Line numbers are those of an editor."""
    content = csv_file(row(), row(invoice_no="ALT-2", kind="x"))
    content = content.replace(b"Altstra\xc3\x9fe 1", b'"Altstra\xc3\x9fe\n1"').replace(
        b"\nD-1", b"\n\n,,,,,,,,,,,,,\nD-1"
    )
    found = await refused(api, content)
    assert list(found) == ["line 8, kind"]


async def test_dunning_history_is_taken_over(api: Api) -> None:
    """Per customer what went furthest (X8), per invoice what the line says."""
    await take(
        api,
        csv_file(
            row(dunning_level=2, notices_count=3, last_notice_date="2026-03-02"),
            row(invoice_no="ALT-2", dunning_level="", notices_count=1, last_notice_date=""),
            row(
                customer_no="D-2",
                invoice_no="ALT-3",
                dunning_level=1,
                notices_count="",
                last_notice_date="",
            ),
            row(
                customer_no="D-3",
                invoice_no="ALT-4",
                dunning_level=0,
                notices_count="",
                last_notice_date="",
            ),
        ),
    )
    async with api.database.transaction() as session:
        cases = (
            await session.execute(
                text("""select c.customer_no, k.level, k.notices_count, k.last_notice_on::text,
                        k.last_notice_on = k.started_at::date as today
                        from dunning_case k join customer c on c.id = k.customer_id order by 1""")
            )
        ).all()
        items = (
            await session.execute(
                text("select dunning_level, notices_count from imported_item order by line")
            )
        ).all()
    assert cases[0] == ("D-1", 2, 3, "2026-03-02", False)
    assert cases[1][:3] == ("D-2", 1, 1)
    assert len(cases) == 2
    assert items == [(2, 3), (1, 1), (1, 1), (0, 0)]


async def test_a_payment_settles_an_imported_invoice(api: Api) -> None:
    """At once, in parts, with the rest on account and a task; the books agree."""
    await take(api, csv_file(row(), row(invoice_no="ALT-2")))
    body = {"invoice_no": "ALT-1", "amount": "100.00", "currency": "EUR", "reference": "B-1"}
    first = await api.post("/api/payments", body, user="anna")
    assert (first.status_code, first.json()["case_id"]) == (201, None)
    assert (await api.get("/api/invoices/ALT-1"))["open"] == "19.00"
    again = await api.post("/api/payments", body)
    assert (again.status_code, again.json()["known"]) == (200, True)
    for other in ({"amount": "99.00"}, {"invoice_no": "ALT-2"}):
        conflict = await api.post("/api/payments", {**body, **other})
        assert conflict.status_code == 409
        assert one_sentence(conflict)
    await api.post("/api/payments", {**body, "amount": "20.00", "reference": "B-2"})
    assert (await api.get("/api/invoices/ALT-1"))["status"] == "paid"
    payment = (await api.get("/api/payments"))[1]
    assert (payment["unallocated"], payment["allocations"]) == (
        *("1.00", [{"invoice_no": "ALT-1", "amount": "19.00"}]),
    )
    (task,) = await api.get("/api/tasks")
    assert (task["kind"], task["title"]) == ("payment_on_account", "Money left over for ALT-1")
    assert (await api.get("/api/invoices/ALT-2"))["open"] == "119.00"
    assert await scalar(api, "select count(*) from outbox") == 0
    await invariants.check(api.database)


async def test_a_notice_of_payment_settles_an_imported_invoice(api: Api) -> None:
    """A signed notice that names it works like a person's entry, and only once."""
    await take(api, csv_file(row()))
    notice = {
        "event_id": "e-1",
        "type": "payment.received",
        "provider": "testbank",
        "transaction_id": "t-1",
        "amount": "119.00",
        "currency": "EUR",
        "valid_on": "2026-11-20",
        "invoice_no": "ALT-1",
    }
    for event in ("e-1", "e-1", "e-2"):
        answer = await api.webhook("payments", {**notice, "event_id": event}, event=event)
        assert answer.status_code == 200, answer.text
    assert (await api.get("/api/invoices/ALT-1"))["status"] == "paid"
    assert await scalar(api, "select count(*) from payment") == 1
    assert await scalar(api, "select count(*) from task") == 0
    await invariants.check(api.database)


async def test_numbers_do_not_collide_with_ours(api: Api, good_order: dict[str, Any]) -> None:
    """An imported K-number is not given again; a shop's order finds the imported customer."""
    await take(
        api,
        csv_file(
            row(customer_no="K10002", email="other@alt.example"),
            row(invoice_no="ALT-2", email=good_order["buyer"]["email"].upper()),
            row(customer_no="D-3", invoice_no="ALT-3", email="shared@alt.example"),
            row(customer_no="D-4", invoice_no="ALT-4", email="shared@alt.example"),
        ),
    )
    await api.submit(good_order)
    await api.work("order-zahltag-ZT-1001")
    assert (await api.get("/api/cases/order-zahltag-ZT-1001"))["customer_no"] == "D-1"
    shared = {"customer_id": "9", "email": "shared@alt.example"}
    other = {**good_order, "order_no": "ZT-2", "external_id": "ZT-2"}
    await api.submit({**other, "buyer": {**good_order["buyer"], **shared}})
    await api.work("order-zahltag-ZT-2")
    assert (await api.get("/api/cases/order-zahltag-ZT-2"))["customer_no"] == "K10003"


async def test_only_finance_imports_and_only_so_much(api: Api) -> None:
    """A viewer may not; a file above the limit is refused in words."""
    answer = await api.http.post(PATH, content=b"x", headers={"X-Zahltag-User": "viktor"})
    assert answer.status_code == 403
    large = "x" * (api.settings.max_body_bytes + 1)
    elsewhere = await api.call("POST", "/api/payments", content=large)
    assert elsewhere.status_code == 413
    assert (await take(api, large.encode())).status_code == 422  # taken, and it is no such file


async def test_the_command_imports_a_file(api: Api, zahltag: Cli, tmp_path: Path) -> None:
    """As a person does it: what was done, what was known, and what is wrong, line by line."""
    file = tmp_path / "open.csv"
    file.write_bytes(csv_file(row()))
    done = await zahltag("import", "open-items", file, "--as", "anna")
    assert (done.code, done.out) == (0, "Imported: 1 open items, 1 new customers.\n")
    again = await zahltag("import", "open-items", file)
    assert (again.code, again.out) == (0, "Known before: 1 open items; nothing was changed.\n")
    as_json = await zahltag("import", "open-items", file, "--json")
    assert as_json.json == {"lines": 1, "invoices": 0, "customers": 0, "known": 1}
    file.write_bytes(csv_file(row(amount="120.00"), row(invoice_no="ALT-2", kind="b3b")))
    wrong = await zahltag("import", "open-items", file)
    wrong.refused("2 values are wrong in 2 lines")
    assert "  line 2, amount: expected 119.000, as imported before for ALT-1" in wrong.err
    assert "  line 3, kind: expected one of b2b, b2c, found 'b3b'" in wrong.err
    paid = await zahltag(
        *("payment", "record", "--invoice", "ALT-1", "--amount", "119.00"),
        *("--currency", "EUR", "--reference", "B-1"),
    )
    assert paid.out == "Payment 1 is recorded for the imported invoice ALT-1.\n"
    (await zahltag("import", "open-items", tmp_path / "none.csv")).refused("No such file")
    assert (await api.get("/api/customers/D-1"))["debt"] == "0.00"
    assert PLAIN["customer_no"] == "D-1"
