"""Made-up models as other programs save them, and what those programs draw, in plain numpy.

Written from the published sources: `pro-gan-pth` 3.4 (networks.py, modules.py, custom_layers.py),
`pro-gan-pth` 1.3.3.3 (PRO_GAN.py, CustomLayers.py) and akanimax/T2F (networks/, data_processing/,
train_network.py). No convolution is fused here, nothing is folded, and padding is read as it lies.
"""

import pickle
import re

import numpy as np
import torch

WORDS = ("face", "a", "with", "hair", "red", ",", "2", "0", "s", "man", "é", "old", "in", "his")
CAPTION_LENGTH = 12


def draw_state(random, shapes):
    """Random tensors, large enough that every part of a network matters; biases too."""
    return {
        name: torch.from_numpy(random.normal(0, 1, shape).astype(np.float32))
        for name, shape in shapes.items()
    }


def generator_shapes(*, latent, widths, layouts):
    """Shapes of a generator's tensors.

    `layouts` has the names of the first block's two layers, of a later block's two by its number
    from 1, of a layer to RGB by its depth, and what an equalised layer's weight is kept under.
    """
    first, second, block, to_rgb, transposed, plain = layouts
    shapes = {}

    def layer(name, inner, shape, outputs):
        shapes[f"{name}.{inner}weight"] = shape
        shapes[f"{name}.bias"] = (outputs,)

    layer(first, transposed, (latent, widths[0], 4, 4), widths[0])
    layer(second, plain, (widths[0], widths[0], 3, 3), widths[0])
    for number in range(1, len(widths)):
        inputs, outputs = widths[number - 1], widths[number]
        layer(f"{block(number)}.conv_1", plain, (outputs, inputs, 3, 3), outputs)
        layer(f"{block(number)}.conv_2", plain, (outputs, outputs, 3, 3), outputs)
    for depth, width in enumerate(widths):
        layer(to_rgb(depth), plain, (3, width, 1, 1), 3)
    return shapes


VERSION_3 = (
    "layers.0.conv_1",
    "layers.0.conv_2",
    "layers.{}".format,
    "rgb_converters.{}".format,
    "",
    "",
)
VERSION_1_PLAIN = (
    "initial_block.conv_1",
    "initial_block.conv_2",
    lambda number: f"layers.{number - 1}",
    "rgb_converters.{}".format,
    "",
    "",
)
VERSION_1 = (*VERSION_1_PLAIN[:4], "deconv.", "conv.")


def draw_generator(state, latent, *, depth, layouts, gain, normalises_latent):
    """What a generator draws of one latent: shape `(side, side, 3)`, nominally -1 to 1.

    `gain` is the equalised layers' before the square root of the fan-in; None for plain layers.
    """
    first, second, block, to_rgb, transposed, plain = layouts

    def kernel(name, inner, fan_in):
        weight = state[f"{name}.{inner}weight"].numpy().astype(np.float64)
        return weight * (1.0 if gain is None else gain / np.sqrt(fan_in(weight.shape)))

    def bias(name, inner=""):
        total = state[f"{name}.bias"].numpy().astype(np.float64)
        extra = state.get(f"{name}.{inner}bias") if inner else None
        return total if extra is None else total + extra.numpy()

    def convolve(features, name):
        weight = kernel(name, plain, lambda shape: shape[1] * shape[2] * shape[3])
        reach = weight.shape[2] // 2
        padded = np.pad(features, ((0, 0), (reach, reach), (reach, reach)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], (1, 2))
        return np.einsum("cyxij,ocij->oyx", windows, weight) + bias(name, plain)[:, None, None]

    def norm(features):
        return features / np.sqrt(np.mean(features**2, axis=0) + 1e-8)

    def leaky(features):
        return np.where(features < 0, 0.2 * features, features)

    latent = np.asarray(latent, np.float64)
    if normalises_latent:
        latent = norm(latent)
    # Version 1 takes torch's fan-in of a transposed convolution, version 3 the number of inputs.
    fan_in = (lambda s: s[0]) if transposed == "" else (lambda s: s[1] * s[2] * s[3])
    features = np.einsum("l,lcyx->cyx", latent, kernel(first, transposed, fan_in))
    features = leaky(features + bias(first, transposed)[:, None, None])
    features = norm(leaky(convolve(features, second)))
    for number in range(1, depth + 1):
        features = features.repeat(2, axis=1).repeat(2, axis=2)
        for name in ("conv_1", "conv_2"):
            features = norm(leaky(convolve(features, f"{block(number)}.{name}")))
    return convolve(features, to_rgb(depth)).transpose(1, 2, 0)


def to_levels(image):
    """An image of -1 to 1 in levels of 0 to 255, not rounded yet."""
    return np.clip(image * 127.5 + 127.5, 0, 255)


def save_version_3(path, *, seed=0, latent=6, widths=(8, 8, 5), use_eql=True, **changes):
    """Saves a file as pro_gan_pytorch 3.4 does; returns the generator's state_dict."""
    shapes = generator_shapes(latent=latent, widths=widths, layouts=VERSION_3)
    state = draw_state(np.random.default_rng(seed), shapes)
    if not use_eql:
        state = {name: tensor * 0.3 for name, tensor in state.items()}
    conf = {
        "depth": len(widths) + 1,
        "num_channels": 3,
        "latent_size": latent,
        "use_eql": use_eql,
    }
    saved = {
        "generator": {"conf": conf, "state_dict": state},
        "discriminator": {"conf": {"depth": 4}, "state_dict": {"weight": torch.ones(2)}},
        "gen_optim": {"state": {0: {"step": 1}}, "param_groups": [{"lr": 0.003}]},
    }
    torch.save({**saved, **changes}, path)
    return state


class OriginalRun:
    """The files of a training run of the original T2F, in a folder."""

    def __init__(self, folder, *, layouts=VERSION_1, seed=0, depth=2, name="GAN_GEN", prefix=""):
        self.folder = folder
        self.layouts = layouts
        self.latent, self.condition, self.hidden, widths = 7, 4, 5, (6, 6, 4)
        random = np.random.default_rng(seed)
        self.generator = draw_state(
            random, generator_shapes(latent=self.latent, widths=widths, layouts=layouts)
        )
        self.encoder = draw_state(random, self._encoder_shapes())
        self.encoder["network.0.weight"][0] = 0.0
        inner = "linear." if layouts is VERSION_1 else ""
        shapes = {
            f"transformer.{inner}weight": (2 * self.condition, self.hidden),
            "transformer.bias": (2 * self.condition,),
        }
        self.augmentor = {key: 2 * value for key, value in draw_state(random, shapes).items()}
        folder.mkdir(parents=True, exist_ok=True)
        marked = {prefix + key: value for key, value in self.generator.items()}
        # As torch wrote files in 2018.
        old = {"_use_new_zipfile_serialization": False}
        torch.save(marked, folder / f"{name}_{depth}.pth", pickle, **old)
        torch.save(self.encoder, folder / f"Encoder_{depth}.pth", pickle, **old)
        torch.save(self.augmentor, folder / f"Condition_Augmentor_{depth}.pth", pickle, **old)
        write_vocabulary(folder / "processed_text.pkl")

    def _encoder_shapes(self):
        gates, sizes = 4 * self.hidden, (3, self.hidden)
        shapes = {"network.0.weight": (2 + len(WORDS), sizes[0])}
        for layer in range(2):
            shapes[f"network.1.weight_ih_l{layer}"] = (gates, sizes[min(layer, 1)])
            shapes[f"network.1.weight_hh_l{layer}"] = (gates, self.hidden)
            shapes[f"network.1.bias_ih_l{layer}"] = (gates,)
            shapes[f"network.1.bias_hh_l{layer}"] = (gates,)
        return shapes

    def read(self, text, caption_length=CAPTION_LENGTH):
        """Mean and deviation of a description's condition."""
        words = re.sub(r"\s{2,}", " ", re.sub(r"([^a-zA-Z])", r" \1 ", text.lower())).split()
        tokens = [2 + WORDS.index(word) if word in WORDS else 1 for word in words]
        tokens = tokens[:caption_length] + [0] * (caption_length - len(tokens))
        features = self.encoder["network.0.weight"].numpy().astype(np.float64)[tokens]
        for layer in range(2):
            features = self._run_lstm(features, layer)
        name = next(key for key in self.augmentor if key.endswith("weight"))
        scale = 1.0 if name == "transformer.weight" else 1.0 / np.sqrt(self.hidden)
        mapped = scale * self.augmentor[name].numpy() @ features[-1]
        mapped = mapped + self.augmentor["transformer.bias"].numpy()
        return mapped[: self.condition], np.maximum(mapped[self.condition :], 0) + 1e-12

    def _run_lstm(self, rows, layer):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weight, recurrent, bias, other = (
            self.encoder[f"network.1.{name}_l{layer}"].numpy().astype(np.float64) for name in names
        )
        state = cell = np.zeros(self.hidden)
        states = []
        for row in rows:
            gates = weight @ row + recurrent @ state + bias + other
            let_in, forget, new, out = np.split(gates, 4)
            cell = cell * sigmoid(forget) + sigmoid(let_in) * np.tanh(new)
            state = sigmoid(out) * np.tanh(cell)
            states.append(state)
        return np.array(states)

    def draw(self, text, noise, *, depth=2, caption_length=CAPTION_LENGTH):
        """What the original draws: nothing normalises the latent. `noise` has its length."""
        mean, deviation = self.read(text, caption_length)
        condition = mean + deviation * noise[: self.condition]
        return draw_generator(
            self.generator,
            np.concatenate([condition, noise[self.condition :]]),
            depth=depth,
            layouts=self.layouts,
            gain=1.0 if self.layouts is VERSION_1 else None,
            normalises_latent=False,
        )


def write_vocabulary(path, words=WORDS, **changes):
    """Writes the pickle that process_text_annotations.py makes."""
    vocabulary = {**dict(enumerate(words, start=2)), 1: "<unk>", 0: "<pad>"}
    processed = {
        "images": ["Somebody/Somebody_0001.jpg"],
        "vocab": vocabulary,
        "rev_vocab": {word: token for token, word in vocabulary.items()},
        "data": [[3, 2]],
    }
    path.write_bytes(pickle.dumps({**processed, **changes}, pickle.HIGHEST_PROTOCOL))


def sigmoid(values):
    return 1 / (1 + np.exp(-values))
