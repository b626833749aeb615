"""Undo: cancellations, moved due dates, write-offs with four eyes.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "due_date_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.Date(), nullable=False),
        sa.Column("due_date", sa.Date(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        op.f("ix_due_date_change_case_id"), "due_date_change", ["case_id"], unique=False
    )
    op.add_column("case_file", sa.Column("cancel_reason", sa.String(), nullable=True))
    op.add_column(
        "approval", sa.Column("proposed_by", sa.String(), nullable=False, server_default="")
    )
    op.alter_column("approval", "proposed_by", server_default=None)
    # A release of a payment from a cancelled claim is a negative allocation.
    op.drop_constraint("amount_positive", "allocation", type_="check")
    op.create_check_constraint("amount_not_zero", "allocation", "amount <> 0")
    op.execute(
        "create unique index invoice_one_cancellation on invoice (order_id) where type = '384'"
    )
    op.execute(
        "create trigger append_only before update or delete on due_date_change"
        " for each row execute function refuse_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("Documents of cancellations cannot be taken back: restore a backup.")
