"""All SQL: one module per aggregate. Every function runs in the caller's transaction.

Locks are always taken in the same order: customer, order, payment, invoice counter.
"""
