"""The plan of a case: total, quiet about what is done, and never in a circle."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.order import PaymentStatus
from domain.order_case import (
    ENDED,
    MailKind,
    Plan,
    Standing,
    Status,
    Step,
    TaskKind,
    WaitingFor,
    accounting_status,
    deal_state,
    decide,
    payment_status,
)

TODAY = date(2026, 11, 22)
DUE = date(2026, 12, 6)
READY = Standing(revision=1, checked_revision=1, total=Decimal(119), customer_no="K10001")
INVOICED = replace(
    READY, invoice_id=7, invoice_no="RE-2026-00001", amount_due=Decimal(119), invoice_mailed=True
)
AWAITING = replace(INVOICED, due_date=DUE, follow_up_task=True)

amounts = st.decimals(0, 1000, places=2)
ids = st.lists(st.integers(1, 99), max_size=2, unique=True).map(tuple)
standings = st.builds(
    Standing,
    revision=st.integers(1, 3),
    checked_revision=st.integers(0, 3),
    problems=st.sampled_from([(), ("total",), ("total", "lines.2.tax_rate")]),
    payment_status=st.sampled_from(PaymentStatus),
    currency=st.just("EUR"),
    total=amounts,
    cancelled_in_shop=st.booleans(),
    approval_needed=st.sampled_from(["", "a risk"]),
    approval=st.sampled_from(["", "pending", "approved", "rejected"]),
    received=amounts,
    customer_no=st.just("K1"),
    invoice_id=st.none() | st.integers(1, 9),
    invoice_no=st.just("RE-1"),
    paid_at_issue=st.booleans(),
    invoice_mailed=st.booleans(),
    rescue_mailed=st.booleans(),
    rescue_task=st.booleans(),
    due_date=st.none() | st.just(DUE),
    amount_due=amounts,
    follow_up_task=st.booleans(),
    overdue_noted=st.booleans(),
    unreconciled=ids,
    on_account=ids,
    settled_by=st.none() | st.integers(1, 9),
    confirmed=st.booleans(),
    extension=st.none() | st.integers(1, 9),
    write_off=st.sampled_from(["", "pending", "approved"]),
    written_off=st.booleans(),
    cancelling=st.booleans(),
    open_tasks=st.booleans(),
    invoice_cancelled=st.booleans(),
    told=st.booleans(),
    cancellation_mailed=st.booleans(),
    failed_steps=st.sampled_from(
        [
            (),
            ("send_email",),
            ("reconcile_payment",),
            ("cancel_invoice", "close_tasks"),
            ("update_deal",),
        ]
    ),
    deal=st.booleans(),
    deal_told=st.sampled_from(["", f"invoiced {DUE}", f"paid {DUE}", "cancelled"]),
    deal_updates=st.integers(0, 2),
    deal_postponed=st.booleans(),
    closed=st.none() | st.sampled_from(sorted(ENDED)),
)
days = st.dates(date(2026, 11, 1), date(2027, 3, 1))


def after(case: Standing, plan: Plan) -> Standing:
    """Return the facts as they are once the plan's step has had its effect."""
    done = {
        (Step.VALIDATE_CUSTOMER, None): {"checked_revision": case.revision},
        (Step.REQUEST_APPROVAL, None): {"approval": "pending"},
        (Step.CREATE_INVOICE, None): {"invoice_id": 7, "amount_due": case.total},
        (Step.SEND_EMAIL, MailKind.INVOICE): {"invoice_mailed": True},
        (Step.SEND_EMAIL, MailKind.PAYMENT_CONFIRMATION): {"confirmed": True},
        (Step.SEND_EMAIL, MailKind.PAYMENT_RESCUE): {"rescue_mailed": True},
        (Step.SEND_EMAIL, MailKind.CANCELLATION): {"cancellation_mailed": True},
        (Step.SEND_EMAIL, MailKind.DUE_DATE_CHANGED): {"extension": None},
        (Step.CREATE_TASK, TaskKind.REFUND): {"on_account": case.on_account[1:]},
        (Step.CLOSE_TASKS, None): {"open_tasks": False},
        (Step.CANCEL_INVOICE, None): {"invoice_cancelled": True, "amount_due": Decimal(0)},
        (Step.WRITE_OFF, None): {"written_off": True, "amount_due": Decimal(0)},
        (Step.SET_DUE_DATE, None): {"due_date": DUE},
        (Step.CREATE_TASK, TaskKind.FOLLOW_UP_PAYMENT): {"follow_up_task": True},
        (Step.CREATE_TASK, TaskKind.PAYMENT_FAILED): {"rescue_task": True},
        (Step.CREATE_TASK, TaskKind.PAYMENT_ON_ACCOUNT): {"on_account": case.on_account[1:]},
        (Step.RECONCILE_PAYMENT, None): {"unreconciled": case.unreconciled[1:]},
        (Step.NOTE_OVERDUE, None): {"overdue_noted": True},
        (Step.CLOSE_CASE, None): {"closed": Status.CLOSED},
        (Step.UPDATE_DEAL, None): {
            "deal_told": deal_state(case),
            "deal_updates": case.deal_updates + 1,
        },
    }
    return replace(case, **done[plan.step, plan.mail or plan.task])


@given(standings, days)
def test_every_standing_has_a_plan_that_leads_to_rest(case: Standing, today: date) -> None:
    """From any facts, doing what is planned ends in waiting or in the end: no circle, no hole."""
    for _ in range(20):
        plan = decide(case, today)
        assert plan.next_step
        assert plan.why
        if plan.step in {Step.WAIT, Step.END}:
            assert plan.step is Step.WAIT or case.closed is not None
            assert plan.step is Step.END or plan.waiting_for is not WaitingFor.NOTHING
            return
        case = after(case, plan)
    pytest.fail("the plan goes in a circle")


@given(standings, days)
def test_nothing_goes_out_before_the_order_was_checked_and_released(
    case: Standing, today: date
) -> None:
    """No invoice for an order with findings, without its approval, or while a step is broken."""
    plan = decide(case, today)
    if plan.step is Step.CREATE_INVOICE:
        assert case.checked_revision >= case.revision
        assert not case.problems
        assert not case.approval_needed or case.approval == "approved"
        assert not case.cancelled_in_shop
    broken = set(case.failed_steps) - {Step.UPDATE_DEAL}
    if broken and not case.unreconciled and not case.cancelling:
        assert plan.waiting_for is WaitingFor.RETRY
    if case.cancelling and case.closed is None:
        assert plan.step not in {Step.CREATE_INVOICE, Step.VALIDATE_CUSTOMER, Step.WRITE_OFF}
        assert plan.mail in {None, MailKind.CANCELLATION}


@given(standings, days)
def test_a_closed_case_only_looks_after_money(case: Standing, today: date) -> None:
    """What is over stays over: no mail, no invoice, no reminder; late money finds its place."""
    plan = decide(replace(case, closed=case.closed or Status.CLOSED, failed_steps=()), today)
    assert plan.mail is None
    assert plan.step in {Step.RECONCILE_PAYMENT, Step.CREATE_TASK, Step.UPDATE_DEAL, Step.END}


@given(standings, days)
def test_nobody_who_paid_is_followed_up(case: Standing, today: date) -> None:
    """With nothing open there is no follow-up task, no overdue, no waiting for money."""
    plan = decide(replace(case, amount_due=Decimal(0)), today)
    assert plan.step is not Step.NOTE_OVERDUE
    assert plan.task is not TaskKind.FOLLOW_UP_PAYMENT


@pytest.mark.parametrize(
    ("case", "step", "status"),
    [
        (Standing(revision=1), Step.VALIDATE_CUSTOMER, Status.CHECKING),
        (replace(READY, problems=("total", "buyer.email")), Step.WAIT, Status.NEEDS_CORRECTION),
        (replace(READY, approval_needed="a risk"), Step.REQUEST_APPROVAL, Status.CHECKING),
        (READY, Step.CREATE_INVOICE, Status.INVOICING),
        (replace(INVOICED, invoice_mailed=False), Step.SEND_EMAIL, Status.INVOICING),
        (INVOICED, Step.SET_DUE_DATE, Status.INVOICING),
        (replace(INVOICED, due_date=DUE), Step.CREATE_TASK, Status.AWAITING_PAYMENT),
        (AWAITING, Step.WAIT, Status.AWAITING_PAYMENT),
        (replace(AWAITING, unreconciled=(4,)), Step.RECONCILE_PAYMENT, Status.SETTLING),
        (replace(AWAITING, amount_due=Decimal(0), settled_by=4), Step.SEND_EMAIL, Status.SETTLING),
        (replace(READY, cancelled_in_shop=True), Step.CLOSE_CASE, Status.CANCELLED),
    ],
)
def test_what_comes_next(case: Standing, step: Step, status: Status) -> None:
    """The ordinary way of an order, step by step."""
    plan = decide(case, TODAY)
    assert (plan.step, plan.status) == (step, status)


def test_the_day_it_becomes_overdue() -> None:
    """On the due date it is not, the day after it is."""
    assert decide(AWAITING, DUE).step is Step.WAIT
    assert decide(AWAITING, DUE).until == DUE + timedelta(days=1)
    assert decide(AWAITING, DUE + timedelta(days=1)).step is Step.NOTE_OVERDUE


def test_a_failed_payment_is_no_reason_for_an_invoice() -> None:
    """First the rescue mail, then the task, then waiting; with the money comes the invoice."""
    case = replace(READY, payment_status=PaymentStatus.FAILED)
    assert decide(case, TODAY).mail is MailKind.PAYMENT_RESCUE
    case = replace(case, rescue_mailed=True)
    assert decide(case, TODAY).task is TaskKind.PAYMENT_FAILED
    case = replace(case, rescue_task=True)
    assert decide(case, TODAY).waiting_for is WaitingFor.PAYMENT
    assert decide(replace(case, received=Decimal(119)), TODAY).step is Step.CREATE_INVOICE


def test_the_four_statuses_tell_the_truth_about_money() -> None:
    """The shop's word holds until money of ours says otherwise."""
    assert payment_status(READY) == "open"
    assert payment_status(replace(READY, received=Decimal(19))) == "partially_paid"
    assert payment_status(replace(INVOICED, amount_due=Decimal(0))) == "successful"
    # The shop says paid, but no receipt was booked: we do not repeat what we cannot see.
    assert payment_status(replace(READY, payment_status=PaymentStatus.SUCCESSFUL)) == "open"
    assert accounting_status(READY) == "not_invoiced"
    assert accounting_status(INVOICED) == "invoiced"
    assert accounting_status(replace(INVOICED, amount_due=Decimal(0))) == "settled"


def test_undo_goes_back_in_reverse_order() -> None:
    """Tasks, then the invoice, then the money, then the customer; and then the case closes."""
    case = replace(AWAITING, cancelling=True, open_tasks=True, told=True, on_account=(4,))
    seen = []
    for _ in range(9):
        plan = decide(case, TODAY)
        seen.append(plan.mail or plan.task or plan.step)
        if plan.step is Step.CLOSE_CASE:
            break
        case = after(case, plan)

    assert seen == [
        Step.CLOSE_TASKS,
        Step.CANCEL_INVOICE,
        TaskKind.REFUND,
        MailKind.CANCELLATION,
        Step.CLOSE_CASE,
    ]


def test_a_failed_undo_step_does_not_stop_the_others() -> None:
    """It is left to a person; the case waits for the retry only when all else is undone."""
    failed = ("cancel_invoice",)
    case = replace(AWAITING, cancelling=True, told=True, failed_steps=failed, amount_due=Decimal(9))
    assert decide(case, TODAY).mail is MailKind.CANCELLATION
    case = replace(case, cancellation_mailed=True)
    assert decide(case, TODAY).waiting_for is WaitingFor.RETRY
    assert decide(replace(case, failed_steps=()), TODAY).step is Step.CANCEL_INVOICE


def test_a_payment_that_could_not_be_matched_waits_for_a_person() -> None:
    """It is not tried again and again; the other steps do not go past it."""
    case = replace(AWAITING, unreconciled=(7,))
    assert decide(case, TODAY).step is Step.RECONCILE_PAYMENT
    failed = replace(case, failed_steps=("reconcile_payment",))
    assert decide(failed, TODAY).waiting_for is WaitingFor.RETRY


def test_a_write_off_needs_a_second_person() -> None:
    """Proposed: wait. Approved: written off. Rejected: the case goes on as before."""
    assert decide(replace(AWAITING, write_off="pending"), TODAY).waiting_for is WaitingFor.APPROVAL
    assert decide(replace(AWAITING, write_off="approved"), TODAY).step is Step.WRITE_OFF
    assert decide(AWAITING, TODAY).waiting_for is WaitingFor.PAYMENT


@given(standings, days)
def test_a_crm_that_does_not_listen_holds_nothing_up(case: Standing, today: date) -> None:
    """Refused or postponed, the plan is the one of an order without a CRM."""
    for beside in ({"deal_postponed": True}, {"failed_steps": ("update_deal",)}):
        told = replace(case, **{"failed_steps": (), "deal": True, **beside})
        plain = replace(case, failed_steps=(), deal=False)

        assert decide(told, today) == decide(plain, today)


@given(standings, days)
def test_a_crm_learns_nothing_before_the_customer(case: Standing, today: date) -> None:
    """Never before the invoice was mailed and has its due date; and nothing twice."""
    plan = decide(case, today)
    if plan.step is Step.UPDATE_DEAL:
        over = case.closed in {Status.CANCELLED, Status.REJECTED, Status.WRITTEN_OFF}
        assert over or (case.invoice_mailed and case.due_date is not None)
        assert case.deal
        assert deal_state(case) != case.deal_told


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (("lines.2.tax_rate",), "lines.2.tax_rate has to be"),
        (("total", "buyer.email"), "total and buyer.email have to be"),
        (("a", "b", "c", "d"), "a, b, c and d have to be"),
        (("a", "b", "c", "d", "e", "f"), "a, b, c, d and 2 more fields have to be"),
    ],
)
def test_the_fields_to_correct_are_named(fields: tuple[str, ...], said: str) -> None:
    """Whoever looks at the case knows what to correct."""
    plan = decide(replace(READY, problems=fields), TODAY)

    assert plan.why == f"{said} corrected by a person first"


DEAL = replace(AWAITING, deal=True)
PAID = replace(DEAL, amount_due=Decimal(0), settled_by=4, confirmed=True)


@pytest.mark.parametrize(
    ("case", "cause"),
    [
        (DEAL, "invoiced-2026-12-06-0"),
        (replace(DEAL, deal_told="invoiced 2026-11-30", deal_updates=1), "invoiced-2026-12-06-1"),
        (replace(PAID, deal_told="invoiced 2026-12-06", deal_updates=1), "paid-2026-12-06-1"),
        (replace(PAID, closed=Status.CLOSED), "paid-2026-12-06-0"),
        (replace(DEAL, deal_told="paid 2026-12-06", deal_updates=2), "invoiced-2026-12-06-2"),
        (replace(READY, deal=True, closed=Status.REJECTED), "cancelled-0"),
        (replace(PAID, written_off=True, closed=Status.WRITTEN_OFF), "written_off-0"),
    ],
)
def test_what_a_crm_is_told(case: Standing, cause: str) -> None:
    """Each change once, each under a key of its own; a case that is over tells it too."""
    plan = decide(case, TODAY)

    assert (plan.step, plan.cause) == (Step.UPDATE_DEAL, cause)


def test_the_customer_is_thanked_before_the_crm_knows_of_the_payment() -> None:
    """The mail first; the case closes after both."""
    assert decide(replace(PAID, confirmed=False), TODAY).mail is MailKind.PAYMENT_CONFIRMATION
    assert decide(replace(PAID, deal_told="paid 2026-12-06"), TODAY).step is Step.CLOSE_CASE
