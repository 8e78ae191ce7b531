"""The SQL that makes facts: one versioned file a pipeline."""
