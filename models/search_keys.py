"""The search attributes of a case as typed keys. Nothing personal is ever put into one."""

from __future__ import annotations

from temporalio.common import SearchAttributeKey

CASE_KIND = SearchAttributeKey.for_keyword("CaseKind")
CASE_STATUS = SearchAttributeKey.for_keyword("CaseStatus")
WAITING_FOR = SearchAttributeKey.for_keyword("WaitingFor")
CHANNEL = SearchAttributeKey.for_keyword("Channel")
CUSTOMER_NO = SearchAttributeKey.for_keyword("CustomerNo")
ORDER_NO = SearchAttributeKey.for_keyword("OrderNo")
INVOICE_NO = SearchAttributeKey.for_keyword("InvoiceNo")
AMOUNT_DUE = SearchAttributeKey.for_float("AmountDue")
DUE_DATE = SearchAttributeKey.for_datetime("DueDate")
NEEDS_ATTENTION = SearchAttributeKey.for_bool("NeedsAttention")
DUNNING_LEVEL = SearchAttributeKey.for_int("DunningLevel")
