"""``python -m keras_impl``: train, evaluate, predict and record with Keras."""

from parity.cli import backend_main

if __name__ == "__main__":
    backend_main("keras")
