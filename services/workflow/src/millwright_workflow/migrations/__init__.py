"""The schema `workflow`, revision by revision."""
