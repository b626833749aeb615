"""Values and decisions of receivables, as pure functions: no I/O, no clock, no randomness."""
