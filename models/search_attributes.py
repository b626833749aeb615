"""The search attributes of every case: what operators list and filter by in the Web UI.

Plain names and types, free of Temporal's packages: the stack registers them, the workflows make
their typed keys from them. The server takes at most 10 Keyword, 3 Datetime and 3 Bool. None holds
personal data.
"""

from __future__ import annotations

from types import MappingProxyType

SEARCH_ATTRIBUTES = MappingProxyType(
    {
        "CaseKind": "Keyword",
        "CaseStatus": "Keyword",
        "WaitingFor": "Keyword",
        "Channel": "Keyword",
        "CustomerNo": "Keyword",
        "OrderNo": "Keyword",
        "InvoiceNo": "Keyword",
        "AmountDue": "Double",
        "DueDate": "Datetime",
        "NeedsAttention": "Bool",
        "DunningLevel": "Int",
    }
)
