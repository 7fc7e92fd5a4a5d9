"""The building blocks of the PyTorch classifiers: layers, losses, optimizers, callbacks."""
