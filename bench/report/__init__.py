"""What the stored results say: rows, pages, pictures, checks."""
