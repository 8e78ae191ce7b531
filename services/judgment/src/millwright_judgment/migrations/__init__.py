"""The schema of the judgment service."""
