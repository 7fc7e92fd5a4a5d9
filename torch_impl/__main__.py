"""``python -m torch_impl``: train, evaluate, predict and record with PyTorch."""

from parity.cli import backend_main

if __name__ == "__main__":
    backend_main("torch")
