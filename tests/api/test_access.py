"""Who gets in, who may do what, and how a refusal looks."""

from __future__ import annotations

from sqlalchemy import text

from models.store.database import Database

from .conftest import Api, one_sentence

ROUTES = [
    ("GET", "/api/cases"),
    ("GET", "/api/cases/x"),
    ("POST", "/api/cases/x/correct"),
    ("POST", "/api/cases/x/retry"),
    ("POST", "/api/orders?source=zahltag"),
    ("GET", "/api/payments"),
    ("POST", "/api/payments"),
    ("GET", "/api/invoices"),
    ("GET", "/api/mails"),
    ("GET", "/api/customers"),
    ("GET", "/api/tasks"),
    ("POST", "/api/tasks/1/done"),
    ("POST", "/api/customers/x/promises"),
    ("POST", "/api/imports/account-managers"),
    ("GET", "/api/exceptions"),
    ("GET", "/api/approvals"),
    ("POST", "/api/approvals/1/approve"),
    ("GET", "/api/ledger"),
    ("GET", "/api/audit"),
    ("GET", "/api/company"),
    ("PUT", "/api/company"),
    ("GET", "/api/channels"),
    ("GET", "/api/channels/zahltag/secret"),
    ("DELETE", "/api/channels/zahltag"),
    ("GET", "/api/openapi.json"),
    ("GET", "/nowhere"),
]


async def test_nobody_gets_in_without_the_token(api: Api) -> None:
    """Every address but health and webhooks answers 401 with a sentence, and nothing happens."""
    before = await api.counts()
    for given in ("", "Bearer", "Bearer wrong", "Basic token-of-the-tests"):
        for method, path in ROUTES:
            answer = await api.call(method, path, headers={"Authorization": given}, content=b"{}")
            assert answer.status_code == 401, path
            assert "token" in one_sentence(answer)
    assert await api.counts() == before


async def test_health_needs_no_token(api: Api) -> None:
    """The supervisor and load balancers ask it."""
    answer = await api.call("GET", "/health", headers={"Authorization": ""})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


LEAST = [
    ("GET", "/api/cases", "viewer"),
    ("GET", "/api/customers", "viewer"),
    ("GET", "/api/audit", "viewer"),
    ("GET", "/api/company", "viewer"),
    ("POST", "/api/orders?source=zahltag", "finance"),
    ("POST", "/api/cases/x/retry", "finance"),
    ("POST", "/api/approvals/1/approve", "finance"),
    ("GET", "/api/promises", "viewer"),
    ("POST", "/api/customers/x/promises", "finance"),
    ("POST", "/api/customers/x/promises/remove", "finance"),
    ("POST", "/api/customers/x/instalments", "finance"),
    ("POST", "/api/customers/x/instalments/cancel", "finance"),
    ("POST", "/api/customers/x/block", "finance"),
    ("POST", "/api/customers/x/block/lift", "finance"),
    ("POST", "/api/customers/x/insolvent", "finance"),
    ("POST", "/api/customers/x/solvent", "finance"),
    ("POST", "/api/customers/x/calls", "finance"),
    ("POST", "/api/invoices/x/dispute", "finance"),
    ("POST", "/api/invoices/x/dispute/close", "finance"),
    ("POST", "/api/imports/account-managers", "finance"),
    ("POST", "/api/account-managers", "finance"),
    ("PUT", "/api/company", "admin"),
    ("GET", "/api/channels/zahltag/secret", "admin"),
    ("DELETE", "/api/channels/shopify", "admin"),
]


async def test_each_role_may_do_its_part(api: Api) -> None:
    """Viktor views, Anna does finance, the admin does everything; too small a role gets 403."""
    roles = {"viktor": 1, "anna": 2, "admin": 3}
    for method, path, least in LEAST:
        needed = {"viewer": 1, "finance": 2, "admin": 3}[least]
        for user, role in roles.items():
            answer = await api.call(method, path, headers={"X-Zahltag-User": user}, content=b"{}")
            assert (answer.status_code == 403) == (role < needed), (user, answer.text)
            if role < needed:
                assert f"needs the role {least}" in one_sentence(answer)


async def test_an_unknown_user_is_refused(api: Api) -> None:
    """403 with a sentence."""
    answer = await api.call("GET", "/api/cases", headers={"X-Zahltag-User": "mallory"})
    assert (answer.status_code, "no user 'mallory'" in one_sentence(answer)) == (403, True)


REFUSED = [
    ("GET", "/nowhere", None, 404, "nothing at this address"),
    ("DELETE", "/api/cases", None, 405, "does not take that method"),
    ("GET", "/api/cases/order-x-1", None, 404, "There is no case order-x-1"),
    ("GET", "/api/cases/%00", None, 422, "ordinary characters"),
    ("GET", "/api/cases?status=nonsense", None, 422, "awaiting_payment"),
    ("GET", "/api/payments/7", None, 404, "no payment 7"),
    ("GET", "/api/payments/seven", None, 422, "a whole number"),
    ("GET", "/api/tasks/99999999999999999999", None, 422, "task_id"),
    ("GET", "/api/invoices/RE-1", None, 404, "no invoice RE-1"),
    ("GET", "/api/invoices/RE-1/document", None, 404, "no invoice RE-1"),
    ("GET", "/api/mails/..%2Fsecret", None, 404, "There is no such mail"),
    ("GET", "/api/mails/x", None, 404, "no such mail"),
    ("GET", "/api/customers/K1", None, 404, "no customer K1"),
    ("GET", "/api/exceptions/1", None, 404, "no exception 1"),
    ("GET", "/api/ledger", None, 422, "either a customer or an invoice"),
    ("POST", "/api/approvals/1/approve", b"", 404, "no approval 1"),
    ("POST", "/api/approvals/1/reject", b"{}", 422, "reason: expected a value"),
    ("POST", "/api/tasks/1/done", b'{"outcome": "x", "y": 1}', 422, "no field of that name"),
    ("POST", "/api/tasks/1/done", b"{outcome", 400, "not JSON"),
    ("POST", "/api/tasks/1/done", b"[]", 422, "one JSON object"),
    ("POST", "/api/tasks/1/done", b'{"outcome": 1}', 422, "text (in JSON: in quotes"),
]


async def test_every_refusal_is_one_sentence(api: Api) -> None:
    """The same shape everywhere, in words that say what to do."""
    headers = {"Content-Type": "application/json"}
    for method, path, body, status, words in REFUSED:
        answer = await api.call(method, path, content=body, headers=headers)
        assert answer.status_code == status, (path, answer.text)
        assert words in one_sentence(answer), path


async def test_an_unexpected_error_shows_nothing_of_the_inside(api: Api) -> None:
    """500 with a sentence; no SQL, no traceback."""
    async with api.database.transaction() as session:
        await session.execute(text("drop table approval cascade"))
    answer = await api.call("GET", "/api/approvals")
    assert answer.status_code == 500
    assert "select" not in one_sentence(answer).lower()


async def test_an_api_that_is_too_busy_says_so(api: Api) -> None:
    """503 while every connection to the database is taken, not "something went wrong"."""
    gone = Database.connect(api.settings.model_copy(update={"database_pool": 1}))
    gone.engine.pool._timeout = 0.1
    before = vars(api.database).copy()
    vars(api.database).update(vars(gone))
    async with gone.engine.connect():
        answer = await api.call("GET", "/api/cases")
        assert (answer.status_code, "try again" in one_sentence(answer)) == (503, True)
    assert (await api.call("GET", "/api/cases")).status_code == 200
    vars(api.database).update(before)
    await gone.close()


async def test_a_database_that_is_away_is_said_so(api: Api) -> None:
    """503: whoever sent it tries again."""
    await api.database.close()
    url = api.settings.database_url.get_secret_value().rpartition("/")[2]
    gone = Database.connect(
        api.settings.model_copy(
            update={
                "database_url": type(api.settings.database_url)(f"postgresql://x@127.0.0.1:1/{url}")
            }
        )
    )
    vars(api.database).update(vars(gone))
    for path in ("/health", "/api/cases"):
        answer = await api.call("GET", path)
        assert (answer.status_code, "try again" in one_sentence(answer)) == (503, True)
