"""Strict reading of packages: a ZIP is checked as a whole before a byte of it is unpacked, into a fresh directory."""
