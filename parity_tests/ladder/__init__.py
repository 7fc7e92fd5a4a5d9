"""The ladder, records and their comparison."""
