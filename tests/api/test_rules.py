"""Rules by API and command line: administrators only, versioned, audited, looked at beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from starter.rule_files import SHIPPED, shipped_rules
from tests.domain.dunning.rules import O1, O2, O3, condition

from .conftest import Api, Cli, one_sentence
from .open_items import csv_file, row

ROUTES = [
    ("GET", "/api/rules"),
    ("POST", "/api/rules"),
    ("PUT", "/api/rules"),
    ("POST", "/api/rules/order"),
    ("POST", "/api/rules/preview"),
    ("GET", "/api/rules/x"),
    ("GET", "/api/rules/x/preview"),
    ("POST", "/api/rules/x/run"),
    ("GET", "/api/rules/x/runs/k"),
    ("POST", "/api/rules/x/pause"),
    ("POST", "/api/rules/x/resume"),
    ("DELETE", "/api/rules/x"),
]
PLAIN_PAGE = "/api/rules/Zahlungserinnerung"


@pytest.fixture
def one(api: Api) -> Any:
    """A function that adds a rule and returns it as it is shown."""

    async def add(document: dict[str, Any]) -> dict[str, Any]:
        answer = await api.call("POST", "/api/rules", json=document)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = await api.get(f"/api/rules/{document['name']}")
        return found

    return add


async def test_only_administrators_see_and_change_rules(api: Api) -> None:
    """J2: checked on the server, for every address."""
    before = await api.counts()
    for user in ("anna", "viktor"):
        for method, path in ROUTES:
            headers = {"X-Zahltag-User": user}
            answer = await api.call(method, path, headers=headers, json={"names": ["x"]})
            assert answer.status_code == 403, path
            assert "needs the role admin" in one_sentence(answer)
    assert await api.counts() == before


async def test_the_shipped_chain(api: Api) -> None:
    """J12, X17: five rules in the order of the dunning process, all inactive, gone for good."""
    listed = await api.get("/api/rules")
    assert [rule["name"].removeprefix("Standard: ") for rule in listed] == [
        *("Zahlungserinnerung", "Erste Mahnung", "Telefonanruf vor Letzter Mahnung"),
        *("Letzte Mahnung", "Anwaltsübergabe"),
    ]
    assert [rule["priority"] for rule in listed] == [1, 2, 3, 4, 5]
    assert {(rule["status"], tuple(rule["next_runs"])) for rule in listed} == {("paused", ())}
    assert [rule["action"] for rule in listed] == [
        *("email_or_letter", "email_or_letter", "call_task", "email_or_letter", "lawyer_task"),
    ]
    assert len(shipped_rules()) == len(list(SHIPPED.glob("*"))) == 5
    for rule in listed:
        assert (await api.call("DELETE", f"/api/rules/{rule['name']}")).status_code == 200
    profile = await api.get("/api/company")
    await api.call("PUT", "/api/company", json={**profile, "phone": "+49 30 2"})
    assert await api.get("/api/rules") == []


async def test_a_rule_is_active_at_once(api: Api, one: Any) -> None:
    """J3, J6, J7: it runs last, and shows what it does, when, and who made it."""
    shown = await one(O1)
    assert (shown["status"], shown["priority"], shown["version"]) == ("active", 6, 1)
    assert len(shown["next_runs"]) == 5
    assert all("T16:00:00+0" in run for run in shown["next_runs"])
    assert (shown["start_date"], shown["last_run"]) == ("2026-03-03", None)
    assert [filter_["field"] for filter_ in shown["filters"]] == [
        *("is_problematic", "notices_count", "oldest_overdue_days"),
    ]
    assert [(line["actor"], line["text"]) for line in shown["history"]] == [("admin", "Added")]
    again = await api.call("POST", "/api/rules", json=O1)
    assert (again.status_code, again.json()["known"]) == (200, True)
    other = await api.call("POST", "/api/rules", json={**O1, "hour": 9})
    assert (other.status_code, "rule edit FILE" in one_sentence(other)) == (409, True)


async def test_a_change_is_a_new_version(api: Api, one: Any) -> None:
    """The old one stays as it was; the weeks do not flip (X9)."""
    weekly = {key: value for key, value in O2.items() if key != "name"} | {"name": "Mahnung"}
    first = await one(weekly)
    changed = await api.call("PUT", "/api/rules", json={**weekly, "hour": 13})
    assert changed.json() == {"name": "Mahnung", "known": False}
    shown = await api.get("/api/rules/Mahnung")
    assert (shown["version"], shown["hour"]) == (2, 13)
    assert shown["start_date"] == first["start_date"]
    assert shown["priority"] == first["priority"]
    again = await api.call("PUT", "/api/rules", json={**weekly, "hour": 13})
    assert again.json()["known"] is True
    async with api.database.transaction() as session:
        query = text("""select v.content ->> 'hour' from dunning_rule_version v
                        join dunning_rule r on r.id = v.rule_id where r.name = 'Mahnung'
                        order by v.version""")
        assert (await session.execute(query)).scalars().all() == ["12", "13"]
    missing = await api.call("PUT", "/api/rules", json={**weekly, "name": "Nobody"})
    assert (missing.status_code, "no rule 'Nobody'" in one_sentence(missing)) == (404, True)


async def test_pause_resume_remove(api: Api, one: Any) -> None:
    """J5, J7: each is noted with who did it; repeated, it is known; the name is free again."""
    await one(O1)
    for verb, status in (("pause", "paused"), ("resume", "active")):
        assert (await api.post(f"{PLAIN_PAGE}/{verb}")).json()["known"] is False
        assert (await api.post(f"{PLAIN_PAGE}/{verb}")).json()["known"] is True
        assert (await api.get(PLAIN_PAGE))["status"] == status
    history = (await api.get(PLAIN_PAGE))["history"]
    assert [line["text"] for line in history] == ["Added", "Paused", "Resumed"]
    assert (await api.call("DELETE", PLAIN_PAGE)).status_code == 200
    for method, path in (("GET", PLAIN_PAGE), ("DELETE", PLAIN_PAGE)):
        answer = await api.call(method, path)
        assert (answer.status_code, "rule list" in one_sentence(answer)) == (404, True)
    assert (await one(O1))["version"] == 1


async def test_rules_are_put_in_order(api: Api, one: Any) -> None:
    """J12: the named ones first, the others after them; a number in the file is a place."""
    for document in (O1, O2, O3):
        await one(document)
    assert (await one({**O1, "name": "first", "priority": 1}))["priority"] == 1
    names = ["Telefonanruf", "Zahlungserinnerung"]
    done = (await api.post("/api/rules/order", {"names": names})).json()
    assert (done["known"], done["names"][:2]) == (False, names)
    listed = [rule["name"] for rule in await api.get("/api/rules")]
    assert listed == done["names"]
    assert listed.index("first") < listed.index("Erste Mahnung")
    assert (await api.post("/api/rules/order", {"names": names})).json()["known"] is True
    for wrong in (["Telefonanruf"] * 2, ["Nobody"]):
        assert (await api.post("/api/rules/order", {"names": wrong})).status_code in {404, 422}


async def test_a_wrong_rule_is_refused(api: Api) -> None:
    """One sentence with every finding; nothing is stored."""
    before = await api.counts()
    wrong = {**O1, "hour": 25, "filters": [condition("debt", "contains", 1)], "colour": "red"}
    for method in ("POST", "PUT"):
        answer = await api.call(method, "/api/rules", json=wrong)
        assert answer.status_code == 422
        assert one_sentence(answer).startswith("The rule was refused: ")
        fields = {problem["field"] for problem in answer.json()["problems"]}
        assert fields == {"hour", "filters.1.operator", "colour"}
    assert await api.counts() == before


async def test_a_preview_shows_whom_it_would_take(api: Api, one: Any) -> None:
    """Before it acts (issue 4): who, with which values, and who is held back; nothing changes."""
    lines = [row(), row(customer_no="D-2", invoice_no="ALT-2", email="", amount="4000.01")]
    lines.append(row(customer_no="D-3", invoice_no="ALT-3", due_date="2999-01-01"))
    await api.http.post("/api/imports/open-items", content=csv_file(*lines))
    mail = {**O1, "name": "a/b c", "action": "email", "filters": [condition("debt", ">", 1)]}
    await one(mail)
    before = await api.counts()
    for found in (
        await api.get("/api/rules/a/b c/preview"),
        (await api.call("POST", "/api/rules/preview", json=mail)).json(),
    ):
        (taken,) = found["customers"]
        assert (taken["customer_no"], taken["values"]) == ("D-1", {"debt": "119.00"})
        (left,) = found["skipped"]
        assert (left["customer_no"], left["reason"]) == (
            *("D-2", "this customer has no e-mail address"),
        )
        assert left["values"] == {"debt": "4000.01"}
    assert await api.counts() == before


async def test_what_rules_go_by_is_shown_and_set(api: Api) -> None:
    """Level and notices as imported; mark, contact, limit, manager and fields as people set them."""
    line = row(dunning_level=2, last_notice_date="2026-03-02", manager="anna")
    await api.http.post("/api/imports/open-items", content=csv_file(line))
    shown = await api.get("/api/customers/D-1")
    assert (shown["level"], shown["notices_count"], shown["manager"]) == (2, 2, "anna")
    assert (shown["problematic"], shown["blocked"], shown["promise"]) == (False, False, None)
    assert shown["credit_limit"] is None
    body = {
        "problematic": True,
        "preferred_contact": "post",
        "credit_limit": "100.00",
        "custom_fields": {"7": "VIP"},
    }
    changed = (await api.post("/api/customers/D-1", body, user="anna")).json()
    assert (changed["problematic"], changed["preferred_contact"]) == (True, "post")
    assert (changed["credit_limit"], changed["custom_fields"]) == ("100.00", {"7": "VIP"})
    assert (changed["manager"], changed["terms_days"]) == ("anna", None)  # what is not named stays
    rule = {
        **O1,
        "action": "mark_problematic",
        "template": None,
        "filters": [
            condition("is_problematic", "=", value=True),
            condition("credit_limit_exceeded", "=", value=True),
            condition("preferred_contact", "=", "post"),
            condition("custom_field_7", "contains", "IP"),
            condition("notices_count", "=", 2),
        ],
    }
    found = (await api.call("POST", "/api/rules/preview", json=rule)).json()
    assert [one_["customer_no"] for one_ in found["customers"]] == ["D-1"]
    for wrong in (
        {"credit_limit": "much"},
        {"credit_limit": "-1"},
        {"preferred_contact": "Telefon"},
        {"custom_fields": {"8": "x"}},
        {"custom_fields": {"1": "a\nb"}},
    ):
        answer = await api.post("/api/customers/D-1", wrong, user="anna")
        assert answer.status_code == 422, wrong
        assert one_sentence(answer)
    paid = {"invoice_no": "ALT-1", "amount": "119.00", "currency": "EUR", "reference": "B-1"}
    await api.post("/api/payments", paid)
    assert (await api.get("/api/customers/D-1"))["level"] == 0  # nothing is overdue any more (X11)


async def test_the_commands(api: Api, zahltag: Cli, tmp_path: Path) -> None:
    """As an administrator does it."""
    line = row(dunning_level=0)
    await api.http.post("/api/imports/open-items", content=csv_file(line))
    file = tmp_path / "rule.yaml"
    file.write_text(yaml.safe_dump(O1, allow_unicode=True), encoding="utf-8")
    added = await zahltag("rule", "add", file)
    # The API runs in this process, without a Temporal for its Schedules: its log comes first.
    assert added.out.endswith("The rule Zahlungserinnerung is added and active.\n")
    assert "nothing was changed" in (await zahltag("rule", "add", file)).out
    (await zahltag("rule", "list", "--as", "anna")).refused("needs the role admin")
    listed = (await zahltag("rule", "list", "--json")).json
    assert [one_["id"] for one_ in listed] == sorted(one_["id"] for one_ in listed)
    for_people = await zahltag("rule", "list")
    assert max(map(len, for_people.out.splitlines())) <= 100
    shown = await zahltag("rule", "show", "Zahlungserinnerung")
    assert "  oldest_overdue_days > 6\n" in shown.out
    assert (await zahltag("rule", "show", "Zahlungserinnerung", "--json")).json["hour"] == 16
    (taken,) = (await zahltag("rule", "preview", "Zahlungserinnerung", "--json")).json
    assert taken["values"]["notices_count"] == 0
    assert "D-1" in (await zahltag("rule", "preview", file)).out
    assert "is paused" in (await zahltag("rule", "pause", "Zahlungserinnerung")).out
    assert "none while it is paused" in (await zahltag("rule", "show", "Zahlungserinnerung")).out
    assert "is active" in (await zahltag("rule", "resume", "Zahlungserinnerung")).out
    ordered = await zahltag("rule", "order", "Zahlungserinnerung", "Standard: Letzte Mahnung")
    assert ordered.out.startswith("The rules run in this order: Zahlungserinnerung, Standard: L")
    file.write_text(yaml.safe_dump({**O1, "hour": 9}), encoding="utf-8")
    assert "is changed" in (await zahltag("rule", "edit", file)).out
    assert "is removed" in (await zahltag("rule", "remove", "Zahlungserinnerung")).out
    (await zahltag("rule", "show", "Zahlungserinnerung")).refused("no rule 'Zahlungserinnerung'")
    edited = await zahltag(
        *("customer", "edit", "D-1", "--problematic", "--custom-field", "1=VIP", "--json"),
    )
    assert (edited.json["problematic"], edited.json["custom_fields"]) == (True, {"1": "VIP"})
    assert (await zahltag("customer", "edit", "D-1", "--terms-days", "7", "--json")).json[
        "problematic"
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name: x\nname: y\n", "line 2: name stands twice"),
        ("filters:\n  - {field: debt, operator: >=, value: 3}\n", 'operator: ">="'),
        ("filters:\n  - field: debt\n    operator: !=\n    value: 3\n", "put operators in quotes"),
        ("- a\n", "holds no fields"),
        ("name: x\n", "The rule was refused: interval: expected a value"),
    ],
)
async def test_a_file_that_is_no_rule_is_refused(
    zahltag: Cli, tmp_path: Path, content: str, said: str
) -> None:
    """YAML has traps for operators; the refusal says what to write."""
    file = tmp_path / "rule.yaml"
    file.write_text(content)
    (await zahltag("rule", "add", file)).refused(said)


async def test_an_equals_sign_needs_no_quotes(zahltag: Cli, tmp_path: Path) -> None:
    """YAML 1.1 makes a bare = a type of its own; people mean the operator."""
    file = tmp_path / "rule.yaml"
    content = yaml.safe_dump({name: value for name, value in O1.items() if name != "filters"})
    file.write_text(content + "filters:\n  - {field: notices_count, operator: =, value: 0}\n")
    assert "is added" in (await zahltag("rule", "add", file)).out


async def test_run_now_without_temporal(api: Api, zahltag: Cli) -> None:
    """One sentence and exit 1; nothing was started, and nothing runs later."""
    api.temporal.away = True
    before = await api.counts()
    answer = await api.post("/api/rules/Standard: Zahlungserinnerung/run")
    assert answer.status_code == 503
    assert one_sentence(answer).startswith("Temporal is away, so the rule was not run")
    (await zahltag("rule", "run", "nothing")).refused("There is no rule 'nothing'")
    assert await api.counts() == before
