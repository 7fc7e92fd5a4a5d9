"""Benchmarks of training speed, checks, memory and record comparison."""
