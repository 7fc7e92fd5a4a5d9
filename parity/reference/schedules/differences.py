"""Known differences between learning-rate schedules, and between callbacks."""

from __future__ import annotations

from parity.reference.difference import Difference

DIFFERENCES = (
    Difference(
        id="schedule.cosine_end",
        kind="schedules",
        title="CosineDecay stays at its final rate, CosineAnnealingLR rises again",
        what="After decay_steps Keras keeps the smallest rate. PyTorch continues along the cosine.",
        why="PyTorch's schedule is meant for restarts. Training longer than planned shows it.",
        to_torch="LambdaLR with min(step, decay_steps) in the cosine",
        size=0.3,
        measured="rates of 15 steps, decay_steps=10",
        rung="steps",
        latent=True,
        source="keras/src/optimizers/schedules/learning_rate_schedule.py",
    ),
    Difference(
        id="schedule.float32",
        kind="schedules",
        title="learning rates are computed in float32, even in a float64 model",
        what="Every Keras schedule is computed in float32, whatever the dtype of the weights.",
        why="Schedules convert their constants to float32. In float32 nothing differs.",
        to_torch="to compare in float64, round every rate: float(np.float32(…))",
        size=6e-08,
        measured="ExponentialDecay(0.1, 3, 0.7), rates of 10 steps, one operation at a time",
        rung="step",
        latent=True,
        source="keras/src/optimizers/schedules/learning_rate_schedule.py",
    ),
    Difference(
        id="schedule.plateau_patience",
        kind="schedules",
        title="ReduceLROnPlateau waits one epoch longer in PyTorch",
        what="With patience p Keras reduces the rate in the p-th epoch without improvement, "
        "PyTorch in the one after. PyTorch also treats the threshold as relative to the best "
        "value, counts the cooldown differently, and skips reductions smaller than 1e-8.",
        why="Keras compares wait ≥ patience, PyTorch bad epochs > patience.",
        to_torch="ReduceLROnPlateau(patience=p − 1, cooldown=max(c − 1, 0), threshold=min_delta, "
        "threshold_mode='abs', eps=0)",
        size=0.9,
        measured="rates of 12 epochs without improvement, patience 3",
        rung="steps",
        latent=True,
        source="tf_keras/src/callbacks.py (ReduceLROnPlateau)",
    ),
    Difference(
        id="schedule.piecewise_boundary",
        kind="schedules",
        title="a boundary step uses the old rate in Keras, the new one in PyTorch",
        what="PiecewiseConstantDecay([b], …) changes the rate after step b, MultiStepLR([b]) at "
        "step b.",
        why="Keras compares step ≤ b, PyTorch step ≥ b.",
        to_torch="milestones b + 1",
        to_keras="boundaries b − 1",
        size=0.9,
        measured="rates of 10 steps, boundary 5, divided by ten",
        rung="steps",
        latent=True,
        source="keras/src/optimizers/schedules/learning_rate_schedule.py",
    ),
    Difference(
        id="early_stopping.best_weights",
        kind="callbacks",
        title="EarlyStopping restores the best weights even if training did not stop early",
        what="With restore_best_weights=True Keras restores the best epoch's weights at the end of "
        "every training. Hand-written loops often restore them only when patience runs out, and "
        "otherwise keep the last epoch's.",
        why="PyTorch has no such callback, and older versions of Keras restored only after "
        "stopping early.",
        to_torch="load the best epoch's state_dict after the loop, whether it stopped early or not",
        size=0.5,
        measured="a weight that counts epochs, losses 3, 1, 2, patience 3",
        rung="predictions",
        latent=True,
        source="keras/src/callbacks/early_stopping.py (on_train_end)",
    ),
)
