"""Keras's callbacks for an ordinary PyTorch training loop, with Keras's decisions.

A loop calls ``on_epoch_end(epoch, logs)`` of each after every epoch, counted from 0, and
``on_train_end()`` at the end; ``logs`` are the epoch's metrics by name, as ``fit`` has them::

    stopping = EarlyStopping(model, patience=3, restore_best_weights=True)
    plateau = ReduceLROnPlateau(optimizer, patience=1)
    for epoch in range(100):
        logs = {"loss": train(model, optimizer), "val_loss": validate(model)}
        plateau.on_epoch_end(epoch, logs)
        if stopping.on_epoch_end(epoch, logs):
            break
    stopping.on_train_end()

Each has ``state_dict`` and ``load_state_dict`` for training that goes on another day.
"""

from torch_impl.fit.csv_logger import CSVLogger
from torch_impl.fit.early_stopping import EarlyStopping
from torch_impl.fit.model_checkpoint import ModelCheckpoint
from torch_impl.fit.reduce_lr_on_plateau import ReduceLROnPlateau

__all__ = ["CSVLogger", "EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau"]
