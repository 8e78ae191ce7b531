"""The manifest of a module, `module.json`."""
