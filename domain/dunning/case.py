"""What a dunning case (Mahnvorgang) does next, when, and why: one pure decision over its facts.

It is to a customer in arrears what ``domain.order_case`` is to an order: ``decide`` turns the facts
into a plan, every activity ends with it, and its words are what people read. Which rule acts when
is decided elsewhere: a rule's run claims the customer, and the case answers that claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

_DAY = timedelta(days=1)
# What the rules will do may change without news about the customer.
_LOOK_AGAIN = timedelta(days=30)


class Step(StrEnum):
    """What a dunning case can do next."""

    ANSWER_CLAIM = "answer_claim"  # a rule's run took the customer: propose, or create the task
    ANSWER_BOUNCE = "answer_bounce"
    RENEW_NOTICE = "renew_notice"
    DROP_NOTICE = "drop_notice"
    ESCALATE_APPROVAL = "escalate_approval"
    ASK_ABOUT_MONEY = "ask_about_money"
    SEND_NOTICE = "send_notice"
    END_DUNNING = "end_dunning"
    WAIT = "wait"
    END = "end"


class Status(StrEnum):
    """Where a dunning case stands, as lists show it."""

    DUNNING = "dunning"
    NEEDS_APPROVAL = "needs_approval"
    NEEDS_RETRY = "needs_retry"
    SENDING = "sending"
    ON_HOLD = "on_hold"
    CLOSED = "closed"


class WaitingFor(StrEnum):
    """What has to come from outside before a dunning case goes on."""

    NOTHING = "nothing"
    RULE = "rule"
    APPROVAL = "approval"
    RETRY = "retry"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True)
class PendingNotice:
    """A notice that was proposed or approved and has not gone out.

    ``amount`` is the upper bound (X13), ``due`` what is due of it by now. ``rule`` is empty where a
    person proposed it. ``on_agreed_date``: a reminder of instalments, not of what is overdue.
    ``crossing``: its sending broke off after the point of no return, so it may be out already.
    Without an approval to wait for there are no dates.
    """

    id: int
    approved: bool
    level: int
    amount: Decimal
    due: Decimal
    currency: str
    rule: str = ""
    on_agreed_date: bool = False
    right_level: bool = True
    crossing: bool = False
    expires_on: date | None = None
    escalates_on: date | None = None
    escalated: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """The facts of a dunning case as the database has them.

    ``overdue`` is what may be dunned, ``late`` whether anything at all is overdue, disputed or
    blocked too. ``claims`` are claims of runs without an answer, ``bounced`` mails of notices that
    did not arrive, ``unknown`` a notice of which nobody can say whether it went out. ``held_by``
    says why the customer must not hear from us now, until the day ``held_until`` or without an end;
    a reminder of what was agreed may go out all the same if the customer ``hears_of_instalments``.
    ``money`` are payments nobody has assigned that may be this customer's, ``money_asked`` those
    with a task. ``day_taken``: a dunning step went out today already. ``forecast`` says what the
    rules will do next, on ``forecast_on``. ``ladder`` is the last one, ended or not.
    """

    customer_id: int
    customer_no: str
    currency: str
    level: int = 0
    overdue: Decimal = Decimal(0)
    oldest_due: date | None = None
    late: bool = False
    claims: tuple[int, ...] = ()
    bounced: tuple[int, ...] = ()
    notice: PendingNotice | None = None
    unknown: int | None = None
    held_by: str = ""
    held_until: date | None = None
    hears_of_instalments: bool = True
    money: tuple[int, ...] = ()
    money_asked: tuple[int, ...] = ()
    day_taken: bool = False
    failed_steps: tuple[str, ...] = ()
    forecast: str = ""
    forecast_why: str = ""
    forecast_on: date | None = None
    ladder: int | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The next step of a dunning case; ``cause`` is the fact that brings it about.

    ``until``: the local day on which the case is looked at again where nothing comes before.
    """

    step: Step
    status: Status
    next_step: str
    why: str
    cause: str = ""
    waiting_for: WaitingFor = WaitingFor.NOTHING
    until: date | None = None
    attention: bool = False


def decide(case: Standing, today: date) -> Plan:
    """Say what the case does next on that local day, and why."""
    return (
        _find_out(case)
        or _settled(case)
        or _mend(case)
        or _answer(case)
        or _notice(case, today)
        or _rest(case, today)
    )


def _find_out(case: Standing) -> Plan | None:
    """Before anything else is said of a notice: is it out? Whoever tries to send it finds out."""
    if case.notice is None or not case.notice.crossing or case.failed_steps:
        return None
    return Plan(
        Step.SEND_NOTICE,
        Status.SENDING,
        "find out whether the notice went out",
        "its sending was broken off",
        cause=f"notice-{case.notice.id}",
    )


def _settled(case: Standing) -> Plan | None:
    """When nothing is overdue any more the case ends, and with it its ladder (X11)."""
    reminds = case.notice is not None and case.notice.on_agreed_date
    if case.late or case.claims or (reminds and not case.failed_steps):
        return None
    why = "nothing is overdue any more"
    if case.closed:
        return Plan(Step.END, Status.CLOSED, "nothing", why)
    return Plan(
        Step.END_DUNNING,
        Status.CLOSED,
        "end the dunning case",
        why,
        cause=f"ladder-{case.ladder}" if case.ladder is not None else "settled",
    )


def _mend(case: Standing) -> Plan | None:
    if not case.failed_steps:
        return None
    failed = " and ".join(case.failed_steps)
    return Plan(
        Step.WAIT,
        Status.NEEDS_RETRY,
        f"repeat the step {failed}",
        f"the step {failed} failed in a way that repeating alone does not mend; mend the cause,"
        " then retry the case",
        waiting_for=WaitingFor.RETRY,
        attention=True,
    )


def _answer(case: Standing) -> Plan | None:
    if case.claims:
        return Plan(
            Step.ANSWER_CLAIM,
            Status.DUNNING,
            "do what the rule says",
            "a rule's run took this customer",
            cause=f"claim-{case.claims[0]}",
        )
    if case.bounced:
        return Plan(
            Step.ANSWER_BOUNCE,
            Status.DUNNING,
            "find another way for a notice that did not arrive",
            "the mail server says that a notice could not be delivered",
            cause=f"bounce-{case.bounced[0]}",
        )
    return None


def _notice(case: Standing, today: date) -> Plan | None:
    """Move the notice that is under way: drop it, propose it anew, wait for its yes, send it."""
    notice = case.notice
    if case.unknown is not None:
        return Plan(
            Step.WAIT,
            Status.ON_HOLD,
            "go on when a person has said whether the last notice went out",
            f"the mail server broke off while it took notice {case.unknown}: it may have gone out,"
            " and it is never sent twice on a guess",
            attention=True,
        )
    if notice is None:
        return None
    cause = f"notice-{notice.id}"
    reason = _no_longer(case, notice, today)
    if reason:
        return Plan(Step.DROP_NOTICE, Status.DUNNING, "drop the notice", reason, cause=cause)
    if notice.due > notice.amount or not notice.right_level:
        changed = "more is due than was proposed" if notice.right_level else "the level has changed"
        return Plan(
            Step.RENEW_NOTICE, Status.DUNNING, "propose the notice anew", changed, cause=cause
        )
    return _send(case, notice, today) if notice.approved else _approval(notice, today)


def _no_longer(case: Standing, notice: PendingNotice, today: date) -> str:
    """Return why the notice must not go out any more; empty if it may."""
    if case.held_by and not (notice.on_agreed_date and case.hears_of_instalments):
        return case.held_by
    if notice.due <= 0:
        return "nothing of it is due any more"
    if not notice.approved and notice.expires_on is not None and today >= notice.expires_on:
        return "nobody approved it in time"
    return ""


def _approval(notice: PendingNotice, today: date) -> Plan:
    what = f"a notice of level {notice.level} over {notice.amount:.2f} {notice.currency}"
    whose = f"the rule {notice.rule!r} proposed it" if notice.rule else "a person proposed it"
    escalates = notice.escalates_on
    if escalates is not None and not notice.escalated and today >= escalates:
        return Plan(
            Step.ESCALATE_APPROVAL,
            Status.NEEDS_APPROVAL,
            "ask the substitute for the approval",
            f"{what} has waited since it was proposed",
            cause=f"notice-{notice.id}",
            attention=True,
        )
    until = notice.expires_on if notice.escalated or escalates is None else escalates
    return Plan(
        Step.WAIT,
        Status.NEEDS_APPROVAL,
        f"send {what} after its approval; without one it is dropped on {notice.expires_on}",
        f"{whose}, and a person has to approve it",
        waiting_for=WaitingFor.APPROVAL,
        until=until,
        attention=True,
    )


def _send(case: Standing, notice: PendingNotice, today: date) -> Plan:
    cause = f"notice-{notice.id}"
    unasked = tuple(p for p in case.money if p not in case.money_asked)
    if unasked:
        return Plan(
            Step.ASK_ABOUT_MONEY,
            Status.ON_HOLD,
            "ask a person whose money it is",
            "money came in that nobody has assigned and that may be this customer's",
            cause=f"payment-{unasked[0]}",
        )
    if case.money:
        return Plan(
            Step.WAIT,
            Status.ON_HOLD,
            f"send a notice of level {notice.level} when it is clear whose money came in",
            "money came in that nobody has assigned and that may be this customer's",
            waiting_for=WaitingFor.PAYMENT,
            until=today + _DAY,
            attention=True,
        )
    if case.day_taken:
        return Plan(
            Step.WAIT,
            Status.DUNNING,
            f"send a notice of level {notice.level} tomorrow",
            "this customer got a dunning step today already",
            until=today + _DAY,
        )
    return Plan(
        Step.SEND_NOTICE,
        Status.SENDING,
        f"send a notice of level {notice.level} over {notice.due:.2f} {notice.currency}",
        "it is due and approved" if notice.expires_on else "it is due and needs no approval",
        cause=cause,
    )


def _rest(case: Standing, today: date) -> Plan:
    if case.held_by:
        return Plan(
            Step.WAIT,
            Status.ON_HOLD,
            "look again when this is over"
            + (f", after {case.held_until}" if case.held_until else ""),
            case.held_by,
            waiting_for=WaitingFor.NOTHING,
            until=case.held_until + _DAY if case.held_until else None,
        )
    return Plan(
        Step.WAIT,
        Status.DUNNING,
        case.forecast or "nothing that a rule does on its own",
        case.forecast_why or "no active rule matches this customer within the next 60 days",
        waiting_for=WaitingFor.RULE,
        until=case.forecast_on + _DAY if case.forecast_on else today + _LOOK_AGAIN,
    )
