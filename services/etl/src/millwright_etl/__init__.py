"""The etl service: rows of ERP and MES systems are landed, and become daily production facts."""
