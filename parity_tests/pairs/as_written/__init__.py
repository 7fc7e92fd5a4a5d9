"""Pairs as users write them: layouts, arguments, dtypes and states that the models bring along."""
