"""Fixtures and builders that several test files share."""
