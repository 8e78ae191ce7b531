"""The schemas of the etl service."""
