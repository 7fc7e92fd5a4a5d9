"""The building blocks of the Keras classifiers: layers, losses, optimizers, callbacks."""
