"""What an order-to-cash case does next, when, and why: one pure decision over its facts.

``Standing`` is what the database knows of a case, small and without personal data. ``decide`` turns
it into a ``Plan``. Every activity ends with it: the plan is recorded in the workflow's history, the
workflow executes its step, and the projection shows its words. Because a plan depends on facts
alone, a case that lost its workflow goes on exactly where it stood; because it is recorded, these
rules may change while cases of last year are still running (docs/decisions/0002).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from domain.order import PaymentStatus

# How many fields a plan names that wait for a correction; the exceptions list all of them.
FIELDS_NAMED = 4


class Step(StrEnum):
    """What a case can do next. The first six are the activities of the design card."""

    VALIDATE_CUSTOMER = "validate_customer"
    CREATE_INVOICE = "create_invoice"
    SET_DUE_DATE = "set_due_date"
    SEND_EMAIL = "send_email"
    CREATE_TASK = "create_task"
    RECONCILE_PAYMENT = "reconcile_payment"
    REQUEST_APPROVAL = "request_approval"
    NOTE_OVERDUE = "note_overdue"
    CLOSE_TASKS = "close_tasks"
    CANCEL_INVOICE = "cancel_invoice"
    WRITE_OFF = "write_off"
    UPDATE_DEAL = "update_deal"
    CLOSE_CASE = "close_case"
    WAIT = "wait"
    END = "end"


class Status(StrEnum):
    """Where a case stands, as lists show it."""

    CHECKING = "checking"
    NEEDS_CORRECTION = "needs_correction"
    NEEDS_APPROVAL = "needs_approval"
    NEEDS_RETRY = "needs_retry"
    PAYMENT_FAILED = "payment_failed"
    INVOICING = "invoicing"
    AWAITING_PAYMENT = "awaiting_payment"
    OVERDUE = "overdue"
    SETTLING = "settling"
    CANCELLING = "cancelling"
    WRITTEN_OFF = "written_off"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    CLOSED = "closed"


_ENDS = {
    Status.CLOSED: "the invoice is paid in full and everything is done",
    Status.REJECTED: "a person rejected the order; no invoice was made",
    Status.CANCELLED: "the order was cancelled and everything done for it was undone",
    Status.WRITTEN_OFF: "what was open was written off",
}
ENDED = frozenset(_ENDS)
# The books and the customer come first: a CRM that does not listen holds no case up.
_BESIDE = frozenset({Step.UPDATE_DEAL.value})


class WaitingFor(StrEnum):
    """What has to come from outside before a case goes on."""

    NOTHING = "nothing"
    CORRECTION = "correction"
    APPROVAL = "approval"
    RETRY = "retry"
    PAYMENT = "payment"


class MailKind(StrEnum):
    """What a mail is for; ``mail list`` shows it."""

    INVOICE = "invoice"
    PAYMENT_CONFIRMATION = "payment_confirmation"
    PAYMENT_RESCUE = "payment_rescue"
    CANCELLATION = "cancellation"
    DUE_DATE_CHANGED = "due_date_changed"


class TaskKind(StrEnum):
    """What a person is asked to do."""

    FOLLOW_UP_PAYMENT = "follow_up_payment"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_ON_ACCOUNT = "payment_on_account"
    REFUND = "refund"
    STEP_FAILED = "step_failed"


@dataclass(frozen=True, slots=True)
class Standing:
    """The facts of a case as the database has them. ``cause`` of a step is one of its ids.

    ``revision`` counts the order's corrections, ``checked_revision`` the last one that was checked;
    ``problems`` are the fields with open findings. ``approval`` is ``""`` (not asked), ``pending``,
    ``approved`` or ``rejected``. ``received`` is all money that came for this case, ``amount_due``
    what is open on the invoice. ``unreconciled`` are payments not yet looked at, ``on_account``
    payments with money left over for which no task exists yet. ``extension`` is a change of the due
    date that the customer was not told yet; ``write_off`` the state of the approval of one.
    ``cancelling`` is a person's decision to undo everything; ``told`` says that the customer got a
    mail of ours, and so has to get one about the cancellation too. ``deal``: a CRM wants to know
    what becomes of its deal; ``deal_told`` is what it was told last, ``deal_updates`` how often,
    and ``deal_postponed`` that it asked for a pause which is not over.
    """

    revision: int
    checked_revision: int = 0
    problems: tuple[str, ...] = ()
    payment_status: PaymentStatus = PaymentStatus.OPEN
    currency: str = "EUR"
    total: Decimal = Decimal(0)
    cancelled_in_shop: bool = False
    approval_needed: str = ""
    approval: str = ""
    received: Decimal = Decimal(0)
    customer_no: str = ""
    invoice_id: int | None = None
    invoice_no: str = ""
    paid_at_issue: bool = False
    invoice_mailed: bool = False
    rescue_mailed: bool = False
    rescue_task: bool = False
    due_date: date | None = None
    amount_due: Decimal = Decimal(0)
    follow_up_task: bool = False
    overdue_noted: bool = False
    unreconciled: tuple[int, ...] = ()
    on_account: tuple[int, ...] = ()
    settled_by: int | None = None
    confirmed: bool = False
    extension: int | None = None
    write_off: str = ""
    written_off: bool = False
    cancelling: bool = False
    open_tasks: bool = False
    invoice_cancelled: bool = False
    told: bool = False
    cancellation_mailed: bool = False
    failed_steps: tuple[str, ...] = ()
    deal: bool = False
    deal_told: str = ""
    deal_updates: int = 0
    deal_postponed: bool = False
    closed: Status | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The next step of a case. ``cause`` is the fact that brings it about, and part of its key.

    ``until`` is set where time alone moves the case on: it is looked at again on that local day.
    """

    step: Step
    status: Status
    next_step: str
    why: str
    cause: str = ""
    mail: MailKind | None = None
    task: TaskKind | None = None
    waiting_for: WaitingFor = WaitingFor.NOTHING
    until: date | None = None
    attention: bool = False


def decide(case: Standing, today: date) -> Plan:
    """Say what the case does next on that local day, and why."""
    return (
        _take_money(case)
        or _undo(case)
        or _mend(case)
        or _check(case)
        or _ask(case)
        or _rescue(case)
        or _invoice(case)
        or _left_over(case)
        or _write_off(case)
        or _extend(case)
        or (_tell_crm(case) if case.amount_due > 0 else None)
        or _collect(case, today)
        or _settle(case)
    )


def _take_money(case: Standing) -> Plan | None:
    """Money first: it may change everything that comes after. Unless just that has failed."""
    waits = case.invoice_id is None and case.closed is None  # until there is an invoice
    if waits or not case.unreconciled or Step.RECONCILE_PAYMENT in case.failed_steps:
        return None
    return Plan(
        Step.RECONCILE_PAYMENT,
        Status.SETTLING,
        "match a payment to the invoice",
        "money was received that nobody has matched yet",
        cause=f"payment-{case.unreconciled[0]}",
    )


def _undo(case: Standing) -> Plan | None:
    """Undo what was done, in reverse order, with documents instead of deletions.

    An undo step that failed is left to a person while the others go on; the case closes when all
    of them are done.
    """
    if not case.cancelling or case.closed is not None:
        return None
    why = "the order was cancelled by a person"
    steps = (
        (case.open_tasks, Step.CLOSE_TASKS, "close the tasks of the case", None, None),
        (
            case.invoice_id is not None and not case.invoice_cancelled,
            Step.CANCEL_INVOICE,
            "make the cancellation invoice",
            None,
            None,
        ),
        (bool(case.on_account), Step.CREATE_TASK, "have the money refunded", None, TaskKind.REFUND),
        (
            case.told and not case.cancellation_mailed,
            Step.SEND_EMAIL,
            "tell the customer",
            MailKind.CANCELLATION,
            None,
        ),
    )
    for needed, step, words, mail, task in steps:
        if needed and step.value not in case.failed_steps:
            cause = f"payment-{case.on_account[0]}" if task else "cancellation"
            return Plan(step, Status.CANCELLING, words, why, cause=cause, mail=mail, task=task)
    if _held_up_by(case):
        return None
    return Plan(Step.CLOSE_CASE, Status.CANCELLING, "close the case", why, cause="cancelled")


def _mend(case: Standing) -> Plan | None:
    steps = _held_up_by(case)
    if not steps:
        return None
    failed = " and ".join(steps)
    return Plan(
        Step.WAIT,
        Status.NEEDS_RETRY,
        f"repeat the step {failed}",
        f"the step {failed} failed in a way that repeating alone does not mend;"
        " mend the cause, then retry the case",
        waiting_for=WaitingFor.RETRY,
        attention=True,
    )


def _held_up_by(case: Standing) -> tuple[str, ...]:
    return tuple(step for step in case.failed_steps if step not in _BESIDE)


def _check(case: Standing) -> Plan | None:
    if case.invoice_id is not None or case.closed is not None:
        return None
    if case.cancelled_in_shop:
        return Plan(
            Step.CLOSE_CASE,
            Status.CANCELLED,
            "close the case",
            "the shop cancelled the order before an invoice was made",
            cause="cancelled",
        )
    if case.checked_revision < case.revision:
        return Plan(
            Step.VALIDATE_CUSTOMER,
            Status.CHECKING,
            "check the order and the customer's data",
            "the order has not been checked yet"
            if case.revision == 1
            else "the order was corrected and has to be checked again",
            cause=f"revision-{case.revision}",
        )
    if case.problems:
        return Plan(
            Step.WAIT,
            Status.NEEDS_CORRECTION,
            "check the order again after a correction",
            f"{_listed(case.problems)} {'has' if len(case.problems) == 1 else 'have'} to be"
            " corrected by a person first",
            waiting_for=WaitingFor.CORRECTION,
            attention=True,
        )
    return None


def _listed(fields: tuple[str, ...]) -> str:
    """Name fields, the first ones if they are many."""
    if len(fields) > FIELDS_NAMED:
        return f"{', '.join(fields[:FIELDS_NAMED])} and {len(fields) - FIELDS_NAMED} more fields"
    *first, last = fields
    return f"{', '.join(first)} and {last}" if first else last


def _ask(case: Standing) -> Plan | None:
    if case.invoice_id is not None or case.closed is not None or not case.approval_needed:
        return None
    if case.approval == "":
        return Plan(
            Step.REQUEST_APPROVAL,
            Status.CHECKING,
            "ask for an approval",
            case.approval_needed,
            cause="order",
        )
    if case.approval == "pending":
        return Plan(
            Step.WAIT,
            Status.NEEDS_APPROVAL,
            "go on after the approval, or close after a rejection",
            case.approval_needed,
            waiting_for=WaitingFor.APPROVAL,
            attention=True,
        )
    if case.approval == "rejected":
        return Plan(
            Step.CLOSE_CASE,
            Status.REJECTED,
            "close the case",
            "the order was rejected by a person; no invoice was made",
            cause="rejected",
        )
    return None


def _rescue(case: Standing) -> Plan | None:
    """The rescue of a failed payment (C6): another way to pay, and a task."""
    failed = case.payment_status in {PaymentStatus.FAILED, PaymentStatus.CHARGEBACK}
    if (
        case.invoice_id is not None
        or case.closed is not None
        or not failed
        or case.received >= case.total
    ):
        return None
    why = (
        "the payment was charged back and the money has not come another way"
        if case.payment_status is PaymentStatus.CHARGEBACK
        else "the payment failed and the money has not come another way"
    )
    if not case.rescue_mailed:
        return Plan(
            Step.SEND_EMAIL,
            Status.PAYMENT_FAILED,
            "offer the customer another way to pay",
            why,
            cause="order",
            mail=MailKind.PAYMENT_RESCUE,
        )
    if not case.rescue_task:
        return Plan(
            Step.CREATE_TASK,
            Status.PAYMENT_FAILED,
            "create a task to look after the payment",
            why,
            cause="order",
            task=TaskKind.PAYMENT_FAILED,
        )
    return Plan(
        Step.WAIT,
        Status.PAYMENT_FAILED,
        "make the invoice once the money has come",
        why,
        waiting_for=WaitingFor.PAYMENT,
        attention=True,
    )


def _invoice(case: Standing) -> Plan | None:
    if case.closed is not None:
        return None
    if case.invoice_id is None:
        return Plan(
            Step.CREATE_INVOICE,
            Status.INVOICING,
            "make the invoice",
            "the order is complete and was checked",
            cause="order",
        )
    if not case.invoice_mailed:
        return Plan(
            Step.SEND_EMAIL,
            Status.INVOICING,
            "mail the invoice",
            "the invoice was made and the customer does not have it yet",
            cause=f"invoice-{case.invoice_id}",
            mail=MailKind.INVOICE,
        )
    if case.due_date is None:
        return Plan(
            Step.SET_DUE_DATE,
            Status.INVOICING,
            "set the due date",
            "the invoice was mailed; the customer's payment terms run from its date",
            cause=f"invoice-{case.invoice_id}",
        )
    return None


def _left_over(case: Standing) -> Plan | None:
    if not case.on_account:
        return None
    cause = f"payment-{case.on_account[0]}"
    if case.closed is Status.CANCELLED:
        return Plan(
            Step.CREATE_TASK,
            Status.SETTLING,
            "have the money refunded",
            "money arrived for an order that was cancelled",
            cause=cause,
            task=TaskKind.REFUND,
        )
    return Plan(
        Step.CREATE_TASK,
        Status.SETTLING,
        "create a task for money left over",
        "more was received than is owed: a person decides what becomes of the rest",
        cause=cause,
        task=TaskKind.PAYMENT_ON_ACCOUNT,
    )


def _write_off(case: Standing) -> Plan | None:
    """Write off what is open, once a second person has agreed."""
    if not case.write_off or case.amount_due <= 0 or case.closed is not None:
        return None
    owed = f"{case.amount_due:.2f} {case.currency}"
    if case.write_off == "pending":
        return Plan(
            Step.WAIT,
            Status.NEEDS_APPROVAL,
            "write off, or go on after a rejection",
            f"a person proposed to write off {owed}; another has to agree",
            waiting_for=WaitingFor.APPROVAL,
            attention=True,
        )
    return Plan(
        Step.WRITE_OFF,
        Status.SETTLING,
        "write off what is open",
        f"two people agreed to write off {owed}",
        cause=f"invoice-{case.invoice_id}",
    )


def _extend(case: Standing) -> Plan | None:
    """Tell the customer that the due date was moved (F3)."""
    if case.extension is None or case.amount_due <= 0 or case.closed is not None:
        return None
    return Plan(
        Step.SEND_EMAIL,
        Status.AWAITING_PAYMENT,
        "tell the customer the new due date",
        f"the due date was moved to {case.due_date}",
        cause=f"extension-{case.extension}",
        mail=MailKind.DUE_DATE_CHANGED,
    )


def _collect(case: Standing, today: date) -> Plan | None:
    if case.amount_due <= 0 or case.due_date is None or case.closed is not None:
        return None
    owed = f"{case.amount_due:.2f} {case.currency}"
    if not case.follow_up_task:
        return Plan(
            Step.CREATE_TASK,
            Status.AWAITING_PAYMENT,
            "create the task to follow the payment up",
            f"{owed} are open until {case.due_date}",
            cause=f"invoice-{case.invoice_id}",
            task=TaskKind.FOLLOW_UP_PAYMENT,
        )
    if today <= case.due_date:
        return Plan(
            Step.WAIT,
            Status.AWAITING_PAYMENT,
            "note that the invoice is overdue, if it is not paid before",
            f"{owed} are open and due on {case.due_date}; the case closes when they arrive",
            waiting_for=WaitingFor.PAYMENT,
            until=case.due_date + timedelta(days=1),
        )
    if not case.overdue_noted:
        return Plan(
            Step.NOTE_OVERDUE,
            Status.OVERDUE,
            "note that the invoice is overdue",
            f"{owed} were due on {case.due_date}",
            cause=f"due-{case.due_date}",
        )
    return Plan(
        Step.WAIT,
        Status.OVERDUE,
        "wait for the payment",
        f"{owed} were due on {case.due_date} and have not arrived",
        waiting_for=WaitingFor.PAYMENT,
        attention=True,
    )


def deal_state(case: Standing) -> str:
    """Say what a CRM should know of the deal: the state, then the due date; ``""``: nothing yet.

    States: invoiced, paid, written_off, cancelled. It follows from the facts alone, so a payment
    that is taken back makes ``paid`` ``invoiced`` again.
    """
    if case.closed in {Status.CANCELLED, Status.REJECTED}:
        return "cancelled"
    if case.closed is Status.WRITTEN_OFF:
        return "written_off"
    if not case.invoice_mailed or case.due_date is None:
        return ""
    return f"{'invoiced' if case.amount_due > 0 else 'paid'} {case.due_date}"


def _tell_crm(case: Standing) -> Plan | None:
    """Tell the CRM what became of its deal: after the customer knows it, never before."""
    state = deal_state(case)
    failed = Step.UPDATE_DEAL.value in case.failed_steps
    if not case.deal or state in {"", case.deal_told} or case.deal_postponed or failed:
        return None
    word = state.partition(" ")[0].replace("_", " ")
    return Plan(
        Step.UPDATE_DEAL,
        case.closed or (Status.AWAITING_PAYMENT if case.amount_due > 0 else Status.SETTLING),
        f"tell the CRM that the deal is {word}",
        "the CRM does not know it yet",
        cause=f"{state.replace(' ', '-')}-{case.deal_updates}",
    )


def _settle(case: Standing) -> Plan:
    owed_nothing = case.settled_by is not None and not case.written_off
    if owed_nothing and not case.paid_at_issue and not case.confirmed and not case.closed:
        return Plan(
            Step.SEND_EMAIL,
            Status.SETTLING,
            "confirm the payment to the customer",
            "the invoice is paid in full",
            cause=f"payment-{case.settled_by}",
            mail=MailKind.PAYMENT_CONFIRMATION,
        )
    if case.closed is None and case.written_off:
        return Plan(
            Step.CLOSE_CASE,
            Status.SETTLING,
            "close the case and its tasks",
            "what was open was written off",
            cause="written-off",
        )
    if told := _tell_crm(case):
        return told
    if case.closed is None:
        return Plan(
            Step.CLOSE_CASE,
            Status.SETTLING,
            "close the case and its tasks",
            "the invoice is paid in full and the customer knows it",
            cause=f"invoice-{case.invoice_id}",
        )
    return Plan(Step.END, case.closed, "nothing", _ENDS[case.closed])


def payment_status(case: Standing) -> str:
    """Name the payment's state: the shop's word (C2) until money of ours says otherwise."""
    if case.invoice_id is not None and case.amount_due <= 0:
        return PaymentStatus.SUCCESSFUL.value
    if case.received >= case.total > 0:
        return PaymentStatus.SUCCESSFUL.value
    if case.received > 0:
        return "partially_paid"
    if case.payment_status is PaymentStatus.SUCCESSFUL:
        return PaymentStatus.OPEN.value
    return case.payment_status.value


def amount_expected(case: Standing) -> Decimal:
    """Return what still has to come: what is open on the invoice, before it the order's rest."""
    if case.invoice_id is None and case.closed is None:
        return max(case.total - case.received, Decimal(0))
    return case.amount_due


def accounting_status(case: Standing) -> str:
    """Name what the books know of the case: not invoiced, invoiced, or settled."""
    if case.invoice_id is None:
        return "not_invoiced"
    return "invoiced" if case.amount_due > 0 else "settled"
