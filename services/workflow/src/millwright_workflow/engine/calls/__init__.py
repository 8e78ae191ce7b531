"""Calls to other systems, and what they need: connections, documents, proof of who calls."""
