"""The rules, as pure functions and frozen values. Nothing here does I/O or awaits, and nothing of ours is imported."""
