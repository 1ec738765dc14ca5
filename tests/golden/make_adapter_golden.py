"""Writes adapter_golden.safetensors and tiny_adapter/: adapters, LoRA and the mix of layers on tiny_bert; see README.md.

    python make_adapter_golden.py [--out DIR]

Needs torch, transformers, adapters 1.3.0, numpy and safetensors. Everything is float64 except the weights.
"""
import argparse
import os

import adapters
import numpy as np
import torch
import transformers
from transformers import BertTokenizerFast

from bert_reference import HERE, classification_loss, forward, load_classifier, pack, save_golden
from make_bert_golden import TINY_LABELS_A, TINY_TEXTS_A, padded_logits

TINY = os.path.join(HERE, "tiny_bert")
KINDS = {"houlsby": (adapters.DoubleSeqBnConfig, 8), "pfeiffer": (adapters.SeqBnConfig, 5)}


def draw(random, shape, std):
    """Values that float32 holds exactly."""
    return torch.from_numpy((random.standard_normal(tuple(shape)) * std).astype(np.float32)).double()


def fill(parameters, random, std=0.5):
    with torch.no_grad():
        for _, parameter in sorted(parameters):
            parameter.copy_(draw(random, parameter.shape, std))


def put(store, prefix, model, trained, batch):
    """Weights (float32) and gradients of `trained` by name, logits and loss of the batch."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trained)
    logits = forward(model, batch)[2]
    loss = classification_loss(logits, batch)
    model.zero_grad(set_to_none=True)
    loss.backward()
    store[prefix + "logits"], store[prefix + "loss"] = logits.detach().numpy(), np.array(loss.item())
    for name, parameter in model.named_parameters():
        if name in trained:
            store[f"{prefix}grad.{name}"] = parameter.grad.numpy().copy()
            if "LayerNorm" not in name and not name.startswith("classifier."):
                store[f"{prefix}weight.{name}"] = parameter.detach().float().numpy()
    return store[prefix + "logits"]


def put_adapter(store, kind, batch, directory=None):
    config, size = KINDS[kind]
    model = load_classifier("tiny_bert", 3)
    adapters.init(model)
    model.add_adapter("t", config=config(reduction_factor=32 // size if 32 % size == 0 else 32 / (size + 0.5)))
    model.set_active_adapters("t")
    model.double().eval()
    own = {name for name, _ in model.named_parameters() if ".adapters.t." in name}
    fill([(n, p) for n, p in model.named_parameters() if n in own], np.random.RandomState(7))
    if directory:
        model.float().save_adapter(directory, "t", with_head=True, use_safetensors=True)
        for file in os.listdir(directory):
            os.chmod(os.path.join(directory, file), 0o644)
        model.double()
    trained = own | {n for n, _ in model.named_parameters() if "LayerNorm" in n or n.startswith("classifier.")}
    logits = put(store, kind + ".", model, trained, batch)
    assert np.abs(padded_logits(model, batch) - logits).max() < 1e-11


class LowRank(torch.nn.Module):
    """Hu et al. 2022, eq. 3, as PEFT computes it."""

    def __init__(self, base, rank, alpha):
        super().__init__()
        self.base_layer, self.scale = base, alpha / rank
        self.lora_A = torch.nn.Linear(base.in_features, rank, bias=False)
        self.lora_B = torch.nn.Linear(rank, base.out_features, bias=False)

    def forward(self, x):
        return self.base_layer(x) + self.lora_B(self.lora_A(x)) * self.scale


def put_lora(store, batch, rank=4, alpha=6):
    model = load_classifier(TINY, 3)
    for layer in model.bert.encoder.layer:
        layer.attention.self.query = LowRank(layer.attention.self.query, rank, alpha)
        layer.attention.self.value = LowRank(layer.attention.self.value, rank, alpha)
    model.double().eval()
    own = {name for name, _ in model.named_parameters() if "lora_" in name}
    fill([(n, p) for n, p in model.named_parameters() if n in own], np.random.RandomState(8))
    trained = own | {n for n, _ in model.named_parameters() if n.startswith("classifier.")}
    put(store, "lora.", model, trained, batch)


def put_mix(store, batch):
    """gamma * sum_j softmax(w)_j h_j over embeddings and layers, h_j plain or normalised by row."""
    model, random = load_classifier(TINY, 3), np.random.RandomState(9)
    hidden = [state.detach() for state in forward(model, batch)[0]]
    store["mix.weights"], store["mix.gamma"] = draw(random, [len(hidden)], 1.0).numpy(), draw(random, [1], 1.0).numpy()
    store["mix.dy"] = draw(random, hidden[0].shape, 1.0).numpy()
    for name in ("plain", "normalised"):
        states = [state.clone().requires_grad_() for state in hidden]
        weights, gamma = (torch.from_numpy(store["mix." + key]).clone().requires_grad_() for key in ("weights", "gamma"))
        parts = states
        if name == "normalised":
            parts = [torch.nn.functional.layer_norm(state, state.shape[-1:], eps=1e-12) for state in states]
        y = gamma * sum(share * part for share, part in zip(torch.softmax(weights, 0), parts))
        y.backward(torch.from_numpy(store["mix.dy"]))
        store[f"mix.{name}.y"] = y.detach().numpy()
        store[f"mix.{name}.dweights"], store[f"mix.{name}.dgamma"] = weights.grad.numpy(), gamma.grad.numpy()
        store[f"mix.{name}.dh1"] = states[1].grad.numpy()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=HERE)
    args = parser.parse_args()
    args.out = os.path.abspath(args.out)
    os.chdir(HERE)  # the folder names its base as it was given
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    batch = pack(BertTokenizerFast.from_pretrained(TINY), TINY_TEXTS_A, TINY_LABELS_A, 40)
    store = {}
    for kind in KINDS:
        put_adapter(store, kind, batch, os.path.join(args.out, "tiny_adapter") if kind == "houlsby" else None)
    put_lora(store, batch)
    put_mix(store, batch)
    save_golden(os.path.join(args.out, "adapter_golden.safetensors"), store)


if __name__ == "__main__":
    main()
