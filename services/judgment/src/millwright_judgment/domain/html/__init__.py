"""What reports share as HTML: pages that need nothing else, no script, no font and no image from elsewhere."""
