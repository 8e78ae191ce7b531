"""The revisions of the schema `modules`."""
