"""The rules of modules, as pure functions and frozen dataclasses."""
