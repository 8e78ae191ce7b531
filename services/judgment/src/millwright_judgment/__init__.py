"""The judgment service: versioned rulesets judge production data, and past judgments are replayed."""
