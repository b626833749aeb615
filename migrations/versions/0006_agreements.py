"""What people agree with debtors: promises and plans of instalments with what they are about.

An agreement remembers what was owed on which invoice when it was made. So nobody has to guess which
payment keeps it: it is kept as soon as that debt has fallen by the agreed sum.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

AGREEMENT_STAYS = """
create function payment_agreement_stays() returns trigger language plpgsql as $$
begin
  if old.ended_at is not null or
     (new.customer_id, new.kind, new.total, new.currency, new.every, new.agreed_at)
     is distinct from
     (old.customer_id, old.kind, old.total, old.currency, old.every, old.agreed_at)
  then
    raise exception 'agreement % stays what was agreed: end it and make another', old.id
      using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$
"""


def upgrade() -> None:
    op.create_table(
        "payment_agreement",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("total", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("every", sa.String(), nullable=False),
        sa.Column("agreed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("agreed_by", sa.String(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_as", sa.String(), nullable=False),
        sa.Column("ended_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint("kind in ('promise','instalments')", name="kind"),
        sa.CheckConstraint("total > 0", name="total"),
        sa.CheckConstraint(
            "case kind when 'instalments' then total is not null and every in ('week','month')"
            " else every = '' end",
            name="plan",
        ),
        sa.CheckConstraint("ended_as in ('','kept','withdrawn','replaced')", name="ended_as"),
        sa.CheckConstraint("(ended_as = '') = (ended_at is null)", name="ended_at"),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "payment_agreement_open",
        "payment_agreement",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_index("payment_agreement_customer", "payment_agreement", ["customer_id", "id"])
    op.create_table(
        "agreed_item",
        sa.Column("agreement_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("owed", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.CheckConstraint("owed > 0", name="owed"),
        sa.ForeignKeyConstraint(["agreement_id"], ["payment_agreement.id"]),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"]),
        sa.PrimaryKeyConstraint("agreement_id", "invoice_id"),
    )
    op.add_column("payment_promise", sa.Column("agreement_id", sa.BigInteger(), nullable=True))
    op.add_column("payment_promise", sa.Column("number", sa.Integer(), nullable=True))
    op.create_foreign_key(
        "payment_promise_agreement", "payment_promise", "payment_agreement", ["agreement_id"], ["id"]
    )
    op.create_check_constraint(
        "agreement",
        "payment_promise",
        "case when agreement_id is null then number is null and kind = 'promise'"
        " else number >= 1 end",
    )
    op.create_check_constraint(
        "instalment", "payment_promise", "kind <> 'instalment' or amount is not null"
    )
    op.create_index(
        "payment_promise_order", "payment_promise", ["agreement_id", "number"], unique=True
    )
    op.add_column(
        "dunning_block", sa.Column("outcome", sa.String(), nullable=False, server_default="")
    )
    op.create_check_constraint(
        "outcome", "dunning_block", "outcome = '' or lifted_at is not null"
    )
    op.create_index(
        "dunning_block_once",
        "dunning_block",
        ["customer_id", "kind", sa.text("coalesce(invoice_id, 0)")],
        unique=True,
        postgresql_where=sa.text("lifted_at is null and until is null"),
    )
    op.create_index(
        "dunning_call_noted_once",
        "dunning_call",
        ["customer_id", "called_on", "outcome"],
        unique=True,
        postgresql_where=sa.text("task_id is null"),
    )
    op.execute(AGREEMENT_STAYS)
    op.execute(
        "create trigger payment_agreement_stays before update on payment_agreement"
        " for each row execute function payment_agreement_stays()"
    )
    op.execute(
        "create trigger append_only before update or delete on agreed_item"
        " for each row execute function refuse_change()"
    )
    for table in ("payment_agreement", "agreed_item"):
        op.execute(
            f"create trigger no_truncate before truncate on {table}"
            " for each statement execute function refuse_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("What was agreed is history: restore a backup instead.")
