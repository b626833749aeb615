"""What things are called: with a slash, not at all, or as two names that look alike."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from models.store import history
from tests.domain.dunning.rules import O1

from .conftest import Api, Cli
from .open_items import csv_file, row


@pytest.fixture
async def slashed(api: Api) -> None:
    """The customer B-4/x owes the invoice 2026/0117."""
    line = row(customer_no="B-4/x", invoice_no="2026/0117", due_date="2026-10-01")
    answer = await api.call("POST", "/api/imports/open-items", content=csv_file(line))
    assert answer.status_code == 200, answer.text


@pytest.mark.usefixtures("slashed")
async def test_a_slash_is_part_of_a_name(zahltag: Cli) -> None:
    """Whatever has it is shown, held and agreed with like everything else."""
    assert (await zahltag("customer", "show", "B-4/x", "--json")).json["customer_no"] == "B-4/x"
    opened = await zahltag("dispute", "open", "2026/0117", "--reason", "wrong goods")
    assert opened.code == 0, opened.err
    for command in (
        ("block", "set", "B-4/x", "--reason", "asked"),
        ("block", "lift", "B-4/x"),
        ("customer", "edit", "B-4/x", "--problematic"),
        ("case", "show", "dunning-B-4/x"),
    ):
        said = await zahltag(*command)
        assert "nothing at this address" not in said.err, command
    (await zahltag("customer", "show", "B-4/y")).refused("There is no customer B-4/y.")


async def test_a_rule_may_be_called_like_an_address(zahltag: Cli, tmp_path: Path) -> None:
    """``a/preview`` is no preview of ``a``."""
    file = tmp_path / "rule.yaml"
    file.write_text(yaml.safe_dump({**O1, "name": "a/preview"}))
    assert (await zahltag("rule", "add", file)).code == 0
    assert (await zahltag("rule", "show", "a/preview", "--json")).json["name"] == "a/preview"


@pytest.mark.parametrize("group", ["customer", "case", "notice", "task", "invoice"])
async def test_an_empty_name_is_asked_for(zahltag: Cli, group: str) -> None:
    """A shell variable that is not set."""
    (await zahltag(group, "show", "")).refused("Say which one is meant")


async def test_an_empty_name_is_not_everything(zahltag: Cli) -> None:
    """Least of all the whole ledger."""
    (await zahltag("ledger", "show", "--customer", "")).refused("There is no customer")


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        ("start_date: 2026-02-30", "a date from 2000 to 2100"),
        ("start_date: 9999-12-31", "a date from 2000 to 2100"),
        ("note: &a [*a]", "an alias (*) is not taken"),
        ("note: " + "[" * 5000, "nested too deeply"),
    ],
)
async def test_a_rule_file_that_cannot_be(
    zahltag: Cli, tmp_path: Path, content: str, refusal: str
) -> None:
    """A day that there is not or never will be, and YAML for other purposes."""
    file = tmp_path / "rule.yaml"
    document = {name: value for name, value in O1.items() if name != "start_date"}
    file.write_text(f"{yaml.safe_dump(document)}{content}\n")
    (await zahltag("rule", "add", file)).refused(refusal)


@pytest.mark.usefixtures("slashed")
async def test_a_customer_is_changed_once(api: Api, zahltag: Cli) -> None:
    """The history names what is different, once; a manager and a limit can be taken away."""
    edit = ("customer", "edit", "B-4/x")
    for _ in range(2):
        await zahltag(*edit, "--problematic", "--manager", "Karl", "--terms-days", "5")
    done = await zahltag(*edit, "--manager", "", "--credit-limit", "", "--json")
    assert done.code == 0, done.err
    async with api.database.transaction() as session:
        lines = await history.of_case(session, "dunning-B-4/x")
    assert [line.text for line in lines if line.event == "customer_changed"] == [
        "Changed: problematic, manager, terms_days",
        "Changed: manager",
    ]


async def test_an_umlaut_may_come_as_two_characters(zahltag: Cli, tmp_path: Path) -> None:
    """As macOS writes it: it is the same name."""
    file = tmp_path / "rule.yaml"
    file.write_text(yaml.safe_dump({**O1, "name": "Anwaltsu\u0308bergabe"}))
    assert (await zahltag("rule", "add", file)).code == 0
    for name in ("Anwalts\u00fcbergabe", "Anwaltsu\u0308bergabe"):
        assert (await zahltag("rule", "show", name)).code == 0


@pytest.mark.parametrize("email", ["x" * 65 + "@example.com", "a@" + "b" * 250 + ".de", "a@b", "a"])
async def test_an_address_that_cannot_be(zahltag: Cli, email: str) -> None:
    """A mail to it would never leave (RFC 5321 4.5.3.1)."""
    said = await zahltag("account-manager", "set", "Karl", "--email", email)
    said.refused("an e-mail address such as")
