"""Every SQL statement of the workflow service. Nothing here decides; nothing elsewhere knows a table."""
