"""The modules service: plug-in modules are installed, upgraded, rolled back and removed, with live progress."""
