"""What a customer reads: invoices as PDF, mails; their templates, fonts and translations."""
