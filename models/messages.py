"""The only types that cross Temporal: small, frozen, validated; ids, amounts and dates.

No personal data: a correction typed into the Web UI is the one exception. Nothing here has a
default that reads a clock or makes an id.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from domain.dunning import case as dunning
from domain.order_case import MailKind, Plan, Step, TaskKind


class Message(BaseModel):
    """Base of all messages. Unknown fields are ignored, so that a rollback can read newer ones.

    What does not fit is refused without being quoted: the refusal ends up in logs.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class StepRequest(Message):
    """One effect that an activity shall bring about exactly once.

    ``key`` is the business key ``workflow_id:step:<id of the causing fact>``. ``at`` is the
    workflow's time when it decided: the business date of the effect, not part of its identity.
    """

    key: str
    case_id: str
    cause: str
    at: datetime
    mail: MailKind | None = None
    task: TaskKind | None = None
    failure: str = ""

    @classmethod
    def of(cls, case_id: str, plan: Plan, at: datetime) -> StepRequest:
        """Return the request that a plan makes: its key is the same whoever executes it."""
        kind = plan.mail or plan.task
        variant = f"{plan.step}.{kind}" if kind else plan.step.value
        return cls(
            key=f"{case_id}:{variant}:{plan.cause}",
            case_id=case_id,
            cause=plan.cause,
            at=at,
            mail=plan.mail,
            task=plan.task,
        )


class Progress(Message):
    """What every step answers: where the case stands now, and what comes next and why."""

    plan: Plan
    wake_at: datetime | None = None
    customer_no: str = ""
    invoice_no: str = ""
    amount_due: Decimal = Decimal(0)
    currency: str = ""
    due_date: date | None = None
    payment_status: str = ""
    fulfilment_status: str = ""
    return_status: str = ""
    accounting_status: str = ""


class PaymentReceived(Message):
    """Signal: money came in. The receipt is already booked; the case has to match it."""

    payment_id: int


class OrderChanged(Message):
    """Signal: the shop sent a newer version of the order; ``outbox_id`` names the event."""

    outbox_id: str


class LookAgain(Message):
    """Signal: something that concerns the case has changed; ``outbox_id`` names what."""

    outbox_id: str


class FetchRequest(Message):
    """Input of ``FetchOrder`` and of its activity; ``give_up`` is why it shall not be tried."""

    fetch_id: int
    give_up: str = ""


class Command(Message):
    """A person's decision about a case, as update or signal.

    The API stores the decision first and sends ``stored``. From the Web UI or ``temporal`` it comes
    as plain input: then the case stores it. ``id`` makes repeating it safe.
    """

    id: str = Field(min_length=1, max_length=200)
    stored: bool = False
    by: str = "operator"
    reason: str = Field("", max_length=500)
    fields: dict[str, str] = Field(default_factory=dict)


class DecisionRequest(Message):
    """Activity input: store a person's decision (if it is not yet) and look at the case again."""

    case_id: str
    name: str
    command: Command
    at: datetime

    @property
    def key(self) -> str:
        """The business key: a decision counts once, however often it is delivered."""
        return f"{self.case_id}:take_decision.{self.name}:{self.command.id}"


class CaseState(Message):
    """What a case carries into its next run (continue-as-new)."""

    progress: Progress | None = None
    payments: tuple[int, ...] = ()
    seen: tuple[str, ...] = ()
    failed: Step | None = None


GENERATION = 2


class CaseStart(Message):
    """Input of ``OrderToCash``. ``revision`` is the order's when the case was started.

    ``generation`` says how the case runs its steps: from 2 on ``create_invoice`` is tried inside
    the workflow task (docs/decisions/0015). Cases that were started before go on as they began.
    """

    case_id: str
    channel: str
    order_no: str
    revision: int
    generation: int = 1
    state: CaseState | None = None


class DunningProgress(Message):
    """What every step of a dunning case answers: where it stands, and what comes next and why."""

    plan: dunning.Plan
    wake_at: datetime | None = None
    customer_no: str = ""
    level: int = 0
    amount_due: Decimal = Decimal(0)
    currency: str = ""
    oldest_due: date | None = None


class DunningState(Message):
    """What a dunning case carries into its next run (continue-as-new)."""

    progress: DunningProgress | None = None
    seen: tuple[str, ...] = ()


class DunningStart(Message):
    """Input of ``DunningCase``. Its facts are the customer's; nothing else is told."""

    case_id: str
    customer_no: str
    state: DunningState | None = None


class RuleCalled(Message):
    """Input of ``DunningTick``: the Schedule of a rule has fired."""

    rule_id: int


class SlotStart(Message):
    """Input of ``DunningSlot``: the local time (company's zone) at which rules are due."""

    slot: datetime


class RunStart(Message):
    """Input of ``DunningCycle``: which rule, in which slot or (None) because somebody asked."""

    rule_id: int
    slot: datetime | None = None
    asked_by: str = ""


class RunReport(Message):
    """Result of ``DunningCycle``; who was skipped and why stands in the database."""

    run_id: int
    matched: int
    handed_over: int
    repeated: bool = False
