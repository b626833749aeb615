"""All SQL: one module per aggregate. Every function runs in the caller's transaction.

Locks are always taken in the same order: customer, order, payment, invoice counter.
"""

import models.dunning_tables  # noqa: F401 - whoever uses the store knows every table
