"""Analysis: what a ruleset's tables leave open, decide twice or never reach, told exactly from their predicates."""
