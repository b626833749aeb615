"""The command line against a real HTTP server: what it prints, its exit codes, its refusals."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from starter.cli.demo_stories import STORIES

from .conftest import SAMPLES, Api, Cli

CASE = "order-zahltag-ZT-1001"
OK = str(SAMPLES / "zahltag-ok.json")


async def test_an_order_from_submission_to_the_money(
    api: Api, zahltag: Cli, tmp_path: Path
) -> None:
    """Submit, look, pay, export, verify: as a person does it."""
    taken = await zahltag("order", "submit", OK, "--source", "zahltag")
    assert (taken.code, taken.out) == (0, f"{CASE}\n")
    again = await zahltag("order", "submit", OK, "--source", "zahltag")
    assert (again.code, again.out, "known" in again.err) == (0, f"{CASE}\n", True)
    await api.work(CASE)

    (case,) = (await zahltag("case", "list", "--json")).json
    number = case["invoice_no"]
    assert (await zahltag("case", "list", "--status", "closed", "--json")).json == []
    assert (await zahltag("case", "show", CASE, "--json")).json["id"] == CASE
    paying = (
        *("payment", "record", "--invoice", number, "--amount", "119.00"),
        *("--currency", "EUR", "--reference", "bank-1"),
    )
    assert "is recorded" in (await zahltag(*paying)).out
    known = await zahltag(*paying, "--as", "anna")
    assert (known.code, "nothing was changed" in known.out) == (0, True)
    other = [word if word != "119.00" else "118.00" for word in paying]
    (await zahltag(*other)).refused("is known with 119.00 EUR")
    await api.work(CASE)
    assert (await zahltag("payment", "show", "1", "--json")).json["unallocated"] == "0.00"

    exported = await zahltag("invoice", "export", number, "--to", tmp_path / "out")
    path = tmp_path / "out" / f"{number}.pdf"
    assert exported.out == f"{path}\n"
    shown = (await zahltag("invoice", "show", number, "--json")).json
    assert hashlib.sha256(path.read_bytes()).hexdigest() == shown["document"]["sha256"]
    assert (await zahltag("invoice", "export", number, "--to", tmp_path / "out")).code == 0
    path.write_bytes(b"mine")
    (await zahltag("invoice", "export", number, "--to", tmp_path / "out")).refused("another file")
    assert path.read_bytes() == b"mine"

    verified = await zahltag("audit", "verify")
    assert (verified.code, "BAD" in verified.out) == (0, False)
    ledger = await zahltag("ledger", "show", "--invoice", number, "--json")
    assert ledger.json["invoice_no"] == number


async def test_every_list_is_readable_and_json(api: Api, zahltag: Cli) -> None:
    """At 100 characters for people, one array with ids for programs; empty ones too."""
    groups = ("case", "payment", "invoice", "mail", "customer", "task", "exception", "approval")
    for group in groups:
        empty = await zahltag(group, "list")
        assert (empty.code, empty.out.count("\n")) == (0, 1)
    assert (await zahltag("case", "list", "--json")).json == []
    for name in ("zahltag-ok", "zahltag-risk", "zahltag-missing-tax-rate", "zahltag-paid"):
        taken = await zahltag(
            "order", "submit", SAMPLES / f"{name}.json", "--source", "zahltag", "--json"
        )
        await api.work(taken.json["case_id"])
    for group in (*groups, "channel"):
        for_people = await zahltag(group, "list")
        assert max(map(len, for_people.out.splitlines())) <= 100
        assert "\x1b" not in for_people.out
    assert all("id" in row for row in (await zahltag("channel", "list", "--json")).json)
    customer = (await zahltag("customer", "list", "--json")).json[0]["customer_no"]
    for show in (("customer", customer), ("task", "1"), ("exception", "1"), ("case", CASE)):
        assert (await zahltag(show[0], "show", show[1])).code == 0
    assert isinstance((await zahltag("task", "show", "1", "--json")).json, dict)


async def test_corrections_and_decisions(api: Api, zahltag: Cli) -> None:
    """The commands about a case, and that they are safe to repeat."""
    await zahltag(
        "order", "submit", SAMPLES / "zahltag-missing-tax-rate.json", "--source", "zahltag"
    )
    await zahltag("order", "submit", SAMPLES / "zahltag-risk.json", "--source", "zahltag")
    for case in await api.get("/api/cases"):
        await api.work(case["id"])
    missing = (await zahltag("case", "list", "--status", "needs_correction", "--json")).json[0][
        "id"
    ]
    wrong = await zahltag("case", "correct", missing, "lines.9.tax_rate=19", "x=y")
    wrong.refused("lines.9.tax_rate")
    for expected in ("Stored", "This was known"):
        done = await zahltag("case", "correct", missing, "lines.2.tax_rate=19")
        assert (done.code, expected in done.out) == (0, True)
    (await zahltag("case", "retry", missing)).refused("Nothing failed")
    for expected in ("Stored", "This was known"):
        done = await zahltag("approval", "approve", "1")
        assert (done.code, expected in done.out) == (0, True)
    (await zahltag("approval", "reject", "1", "--reason", "no")).refused("was approved by admin")


async def test_company_and_channels(zahltag: Cli, tmp_path: Path) -> None:
    """What `company show` prints can be set again; secrets are shown on request only."""
    file = tmp_path / "company.yaml"
    file.write_text((await zahltag("company", "show")).out, encoding="utf-8")
    assert "nothing was changed" in (await zahltag("company", "set", file)).out
    file.write_text(file.read_text().replace("time_zone: Europe/Berlin", "time_zone: Berlin"))
    (await zahltag("company", "set", file)).refused("time_zone: expected such as Europe/Berlin")
    for broken in ("a: [", "- a", "\x00"):
        file.write_text(broken)
        (await zahltag("company", "set", file)).refused("nothing was changed")
    assert (await zahltag("company", "show", "--json")).json["time_zone"] == "Europe/Berlin"

    secret = tmp_path / "secret"
    secret.write_text("whsec_MDEyMzQ1Njc4OWFiY2RlZg==\n")
    made = await zahltag("channel", "set", "till", "--source", "payments", "--secret-file", secret)
    assert "/webhooks/till" in made.out
    assert (await zahltag("channel", "secret", "till")).out == secret.read_text()
    assert (await zahltag("channel", "remove", "till")).code == 0
    (await zahltag("channel", "secret", "till")).refused("There is no channel till")
    (await zahltag("channel", "secret", "payments", "--as", "anna")).refused("needs the role admin")


async def test_wrong_usage_is_exit_2(zahltag: Cli) -> None:
    """What the command line itself does not understand."""
    for arguments in (
        ("nonsense",),
        ("case", "nonsense"),
        ("case", "correct", CASE, "no-equals"),
        ("case", "correct", CASE),
        ("payment", "record"),
        ("ledger", "show"),
        ("case", "list", "--nonsense"),
    ):
        ran = await zahltag(*arguments)
        assert (ran.code, ran.out) == (2, ""), arguments


async def test_refusals_are_sentences(
    api: Api, zahltag: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong: one sentence on stderr, exit 1, nothing on stdout, nothing changed."""
    before = await api.counts()
    large = tmp_path / "large.json"
    large.write_bytes(b'{"a": "' + b"x" * 10_000_000 + b'"}')
    for arguments, words in (
        (("case", "show", "order-x-1"), "There is no case order-x-1"),
        (("case", "show", "../secret"), "There is no case ../secret."),
        (("case", "list", "--status", "x"), "expected one of checking"),
        (("order", "submit", tmp_path / "none", "--source", "zahltag"), "No such file"),
        (("order", "submit", large, "--source", "zahltag"), "too large"),
        (("order", "submit", OK, "--source", "amazon"), "no source 'amazon'"),
        (("order", "submit", OK, "--source", "zahltag", "--as", "viktor"), "needs the role"),
        (("case", "list", "--as", "nobody"), "no user 'nobody'"),
        (("payment", "show", "x"), "a whole number"),
    ):
        (await zahltag(*arguments)).refused(words)
    assert await api.counts() == before
    monkeypatch.setenv("ZAHLTAG_API_TOKEN", "wrong")
    (await zahltag("case", "list")).refused("The token is wrong")
    monkeypatch.setenv("ZAHLTAG_API_URL", "http://127.0.0.1:1")
    (await zahltag("case", "list")).refused("zahltag up")
    monkeypatch.delenv("ZAHLTAG_API_URL")
    (await zahltag("--data-dir", tmp_path / "x", "case", "list")).refused("start one with")


def test_a_command_imports_nothing_slow() -> None:
    """Its start must not be felt: no database, Temporal, table or HTTP packages before they work."""
    slow = ("temporalio", "sqlmodel", "sqlalchemy", "httpx", "fastapi", "rich", "yaml", "models")
    code = (
        "import sys; sys.argv = ['zahltag', 'case', 'list', '--data-dir', '/nonexistent/x']\n"
        "from starter.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print([name for name in {slow!r} if name in sys.modules])"
    )
    environment = {"PATH": "/usr/bin:/bin"}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert ran.stdout == "[]\n"


def test_the_demo_knows_every_sample() -> None:
    """Each sample order has its story, and each story its order."""
    assert {path.stem for path in SAMPLES.glob("*.json")} == set(STORIES)
