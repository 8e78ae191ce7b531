"""The report as one HTML page that needs nothing else: no script, no font and no image from elsewhere."""
