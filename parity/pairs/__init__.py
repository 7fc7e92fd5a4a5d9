"""Any pair of models: what their layers compute, which belongs to which, and why two part.

``calls`` says what an implementation captures of a model, ``side`` what it can do with one.
"""
