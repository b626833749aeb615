"""What is stored and what crosses Temporal: tables, messages, settings, and all the SQL."""
