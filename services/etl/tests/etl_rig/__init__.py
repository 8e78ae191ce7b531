"""What tests of the etl service share."""
