"""Mistakes of a port: what a check can name that is no difference between the frameworks.

A layer more, another rate, a loss that sums: both frameworks could do either, the two models do not
do the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """An entry behind those of the catalogue.

    Attributes:
        id: as a check names it; ``*.units`` stands for every kind that has such a setting.
        title: a few words for a table, without a full stop.
        what: how the two models part.
        mend: what makes them one.
    """

    id: str
    title: str
    what: str
    mend: str

    def sections(self) -> list[tuple[str, str]]:
        """Heading and text of all that is known, in the order of reading."""
        return [("What", self.what), ("How to mend it", self.mend)]


TO_KERAS = "Give PyTorch the value that Keras has, or the other way round."

MISTAKES: dict[str, Mistake] = {
    one.id: one
    for one in (
        Mistake(
            id="structure.order",
            title="layers, or inputs of a layer, stand in another order",
            what="Fed as its partner is, each layer gives the same; but one model runs them, or "
            "joins them, in another order. A batch norm behind its activation is the usual one.",
            mend="Call them in Keras's order.",
        ),
        Mistake(
            id="structure.missing",
            title="Keras has a layer that PyTorch has not",
            what="What stands between two layers in Keras, put in between theirs, gives what "
            "Keras's second one is fed.",
            mend="Add the layer, or the function.",
        ),
        Mistake(
            id="structure.extra",
            title="PyTorch has a layer that Keras has not",
            what="Left out, the layer behind it is fed what Keras's is.",
            mend="Take the layer, or the function, out.",
        ),
        Mistake(
            id="input.scale",
            title="a layer is fed the same numbers, scaled or shifted",
            what="PyTorch's input is a·x + b of Keras's, with one a and b for all or one of each "
            "for every channel: images divided by 255, or less their mean, on one side alone.",
            mend="Do it in both models, or in neither; look where the data are loaded as well.",
        ),
        Mistake(
            id="activation.function",
            title="another activation",
            what="Keras's function, put in the place of PyTorch's, gives what Keras gives.",
            mend="Use Keras's function. Without a word about it, Keras's Dense and convolutions "
            "have none, its recurrent layers tanh.",
        ),
        Mistake(
            id="layer.trainable",
            title="a weight is frozen in one model alone",
            what="trainable=False in Keras, or requires_grad_(False) in PyTorch: no gradient.",
            mend="Freeze it in both, or in neither.",
        ),
        Mistake(
            id="dropout.rate",
            title="another rate of dropout",
            what="With the same numbers drawn, the one drops more. A rate of none: only one model "
            "has the layer.",
            mend="Set nn.Dropout(p) to Keras's rate: both count what is dropped.",
        ),
        Mistake(
            id="loss.kind",
            title="another loss",
            what="Each side's number is that of another formula.",
            mend="Use the same formula.",
        ),
        Mistake(
            id="loss.reduction",
            title="one loss sums where the other averages",
            what="Keras's losses average over all entries by default, PyTorch's over the batch, "
            "or over all entries, or sum, as reduction says.",
            mend="reduction='mean', or the same divisor.",
        ),
        Mistake(
            id="loss.label_smoothing",
            title="labels are smoothed otherwise",
            what="Both frameworks' formulas are the same: (1 − s)·y + s / classes.",
            mend="Give both the same label_smoothing.",
        ),
        Mistake(
            id="loss.delta",
            title="another delta of Huber's loss",
            what="Where squares end and absolute values begin.",
            mend=TO_KERAS,
        ),
        Mistake(
            id="gradient.detached",
            title="the forward pass holds gradients back",
            what="Outputs are the same; but behind .detach(), .data or torch.no_grad() nothing is "
            "learnt. With these out of force the gradients are Keras's.",
            mend="Take them out of the forward pass, or give Keras tf.stop_gradient.",
        ),
        Mistake(
            id="attention.mask",
            title="another mask of attention",
            what="Who may attend to whom is not the same; of a causal mask, one model looks ahead.",
            mend="Give both the same: where Keras's is true, attn_mask is false.",
        ),
        Mistake(
            id="optimizer.kind",
            title="another optimizer",
            what="Each side moves by another formula.",
            mend="Use the same, with every setting named.",
        ),
        Mistake(
            id="optimizer.clipvalue",
            title="gradients are clipped by value on one side, or elsewhere",
            what="Keras's optimizers clip every entry to ±clipvalue; PyTorch's know nothing of it.",
            mend="torch.nn.utils.clip_grad_value_ before each step.",
        ),
        Mistake(
            id="penalty.missing",
            title="Keras adds penalties to the loss that PyTorch's loss lacks",
            what="Regularizers of weights or outputs, other than L2 alone (see l2.factor).",
            mend="Add the same terms to PyTorch's loss.",
        ),
        Mistake(
            id="weights.swapped_beta_gamma",
            title="a norm's scale and shift are exchanged",
            what="gamma stands where beta belongs, and the other way round.",
            mend="weight = gamma, bias = beta",
        ),
        Mistake(
            id="weights.swapped_moving_mean_moving_variance",
            title="a norm's running mean and variance are exchanged",
            what="Each stands where the other belongs.",
            mend="running_mean = moving_mean, running_var = moving_variance",
        ),
        Mistake(
            id="conv.kernel_flipped",
            title="a convolution's kernel was turned around along its axes of space",
            what="Both frameworks correlate; elsewhere a convolution turns its kernel around.",
            mend="Leave the kernel's axes of space as they are.",
        ),
        Mistake(
            id="lstm.gate_order",
            title="an LSTM's gates were put in another order",
            what="Both frameworks have i, f, g (Keras: c), o. Someone turned them as a GRU's.",
            mend="Transpose the kernels, and leave the gates as they are.",
        ),
        *(
            Mistake(
                id=f"{kind}.kernel_layout",
                title="a recurrent kernel was not transposed",
                what="It is square for each gate, so that it loads as it is.",
                mend="weight_hh_l0 = recurrent_kernel.T",
            )
            for kind in ("simple_rnn", "lstm", "gru")
        ),
        Mistake(
            id="*.kind",
            title="a layer of another kind stands in its place",
            what="Keras's layer, put in the place of PyTorch's, gives what Keras gives.",
            mend="Use the layer that Keras has.",
        ),
        Mistake(
            id="*.setting",
            title="a setting of a layer or an optimizer has another value",
            what="Both frameworks have the setting and mean the same by it, under this name or "
            "another; with Keras's value PyTorch gives what Keras gives.",
            mend=TO_KERAS,
        ),
        Mistake(
            id="*.weight",
            title="a weight has another value, or only one model has it",
            what="Keras's weight, put in the place of PyTorch's, gives what Keras gives, and no "
            "known mistake of layout explains it.",
            mend="Copy the weight over; where it is a bias, see that both layers have one.",
        ),
    )
}
"""Id to entry. Those of a star are met as ``conv.strides`` or ``dense.bias``."""

LAYERS = (
    *("dense", "conv", "conv_transpose", "max_pool", "average_pool", "global_max_pool"),
    *("global_average_pool", "zero_padding", "cropping", "up_sampling", "flatten", "reshape"),
    *("permute", "concatenate", "add", "subtract", "multiply", "average", "maximum", "minimum"),
    *("batch_norm", "layer_norm", "group_norm", "dropout", "noise", "embedding", "simple_rnn"),
    *("lstm", "gru", "bidirectional", "masking", "attention", "leaky_relu", "relu", "elu"),
    *("prelu", "softmax"),
)
"""Kinds of layers, as ids have them."""

SETTINGS = (
    *("units", "filters", "kernel_size", "strides", "dilation_rate", "groups", "padding"),
    *("depth_multiplier", "pool_size", "rank", "size", "interpolation", "cropping", "dims"),
    *("target_shape", "axis", "momentum", "center", "scale", "rate", "stddev", "input_dim"),
    *("output_dim", "activation", "recurrent_activation", "use_bias", "go_backwards"),
    *("merge_mode", "layer", "mask_value", "num_heads", "key_dim", "value_dim", "max_value"),
    *("alpha", "epsilon", "reset_after", "of"),
)
"""Settings of layers."""

WEIGHTS = (
    *("kernel", "bias", "recurrent_kernel", "depthwise_kernel", "pointwise_kernel", "embeddings"),
    *("gamma", "beta", "moving_mean", "moving_variance"),
)

OPTIMIZERS = {
    "sgd": ("momentum", "nesterov", "dampening"),
    "adam": ("beta_1", "beta_2", "amsgrad"),
    "adamax": ("beta_1", "beta_2"),
    "nadam": ("beta_1", "beta_2"),
    "rmsprop": ("momentum", "centered"),
    "adagrad": ("epsilon",),
    "lion": ("beta_1", "beta_2"),
}
"""Optimizers' settings that are no entry of the catalogue."""


def mistake(name: str) -> Mistake | None:
    """The entry of an id that a check can name; None for others."""
    if name in MISTAKES:
        return MISTAKES[name]
    kind, _, setting = name.partition(".")
    if kind in OPTIMIZERS:
        group = "setting" if setting in OPTIMIZERS[kind] else ""
    elif kind not in LAYERS:
        return None
    else:
        group = "kind" if setting == "kind" else ""
        group = group or ("setting" if setting in SETTINGS else "")
        group = group or ("weight" if setting in WEIGHTS else "")
    return replace(MISTAKES[f"*.{group}"], id=name) if group else None
