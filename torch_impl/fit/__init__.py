"""Keras's callbacks for PyTorch training loops, with Keras's decisions.

Call ``on_epoch_end(epoch, logs)`` of each callback after every epoch, counted from 0, and
``on_train_end()`` at the end; ``logs`` contains the epoch's metrics by name, as in Keras's
``fit``::

    stopping = EarlyStopping(model, patience=3, restore_best_weights=True)
    plateau = ReduceLROnPlateau(optimizer, patience=1)
    for epoch in range(100):
        logs = {"loss": train(model, optimizer), "val_loss": validate(model)}
        plateau.on_epoch_end(epoch, logs)
        if stopping.on_epoch_end(epoch, logs):
            break
    stopping.on_train_end()

Each has ``state_dict`` and ``load_state_dict``, so that training can be resumed.
"""

from torch_impl.fit.csv_logger import CSVLogger
from torch_impl.fit.early_stopping import EarlyStopping
from torch_impl.fit.model_checkpoint import ModelCheckpoint
from torch_impl.fit.reduce_lr_on_plateau import ReduceLROnPlateau

__all__ = ["CSVLogger", "EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau"]
