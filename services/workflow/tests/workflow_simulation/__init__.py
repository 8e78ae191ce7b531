"""A deterministic simulation of the engine: its real code, on machines, a database and a plant that a seed makes."""
