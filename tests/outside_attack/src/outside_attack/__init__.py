"""An attack for Splitzoo, found by its entry point."""
