"""Writes ops_golden.safetensors: values and gradients of single ops from PyTorch in float64; see README.md.

    python make_ops_golden.py [--out DIR]

Inputs are float32 values stored as F64, so that both precisions of an engine see the same numbers.
"""
import argparse
import os

import numpy as np
import torch
import torch.nn.functional as F
from transformers import (get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup,
                          get_linear_schedule_with_warmup)

from bert_reference import HERE, save_golden

RANDOM = np.random.RandomState(11)


def normal(*shape, scale=1.0):
    return torch.from_numpy(RANDOM.standard_normal(shape) * scale).float().double()


def numpy(tensor):
    return tensor.detach().numpy().copy()


def pointwise(store):
    grid = np.concatenate([np.linspace(-10, 10, 321), [0.0, -0.0, 1e-8, -1e-8, 20, -20, 100, -100]])
    grid = grid.astype(np.float32).astype(np.float64)
    store["pointwise.x"] = grid
    functions = {"gelu_erf": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "swish": F.silu,
                 "tanh": torch.tanh, "sigmoid": torch.sigmoid}
    for name, function in functions.items():
        x = torch.from_numpy(grid.copy()).requires_grad_()
        y = function(x)
        y.sum().backward()
        store[f"pointwise.{name}"], store[f"pointwise.{name}_grad"] = numpy(y), numpy(x.grad)


def cross_entropy(store):
    logits = normal(7, 5, scale=3.0)
    logits[3] = torch.tensor([800.0, -800.0, 0.0, 799.0, 10.0])
    targets = torch.tensor([0, 4, -100, 3, 2, -100, 1])
    store["cross_entropy.logits"], store["cross_entropy.targets"] = numpy(logits), numpy(targets)
    store["cross_entropy.log_softmax"] = numpy(F.log_softmax(logits, dim=-1))
    for suffix, smoothing in (("plain", 0.0), ("smooth", 0.1)):
        x = logits.clone().requires_grad_()
        loss = F.cross_entropy(x, targets, ignore_index=-100, label_smoothing=smoothing)
        loss.backward()
        store[f"cross_entropy.{suffix}.loss"] = numpy(loss)
        store[f"cross_entropy.{suffix}.grad"] = numpy(x.grad)


def other_losses(store):
    logits = normal(4, 3, scale=2.0)
    logits[1] = torch.tensor([50.0, -50.0, 0.0])
    logits[2] = torch.tensor([1000.0, -1000.0, 1000.0])
    targets = torch.tensor([[1, 0, 0.25], [1, 0, 1], [1, 0, 0], [0, 1, 0.75]], dtype=torch.float64)
    for name, x, y, function in (("bce", logits, targets, F.binary_cross_entropy_with_logits),
                                 ("mse", normal(6), normal(6), F.mse_loss)):
        x = x.clone().requires_grad_()
        loss = function(x, y)
        loss.backward()
        store.update({f"{name}.input": numpy(x), f"{name}.targets": numpy(y), f"{name}.loss": numpy(loss),
                      f"{name}.grad": numpy(x.grad)})


def layer_norm(store):
    x = normal(6, 16)
    x[1] += 1000.0  # a large mean: a variance computed as E[x^2] - E[x]^2 would lose it in float32
    x[2] *= 1e-3
    x[3] = 2.5      # no variance: the output is the bias
    x = x.float().double()
    weight, bias, dy = (1 + normal(16, scale=0.3)).float().double(), normal(16, scale=0.3), normal(6, 16)
    store.update({"layer_norm.x": numpy(x), "layer_norm.weight": numpy(weight), "layer_norm.bias": numpy(bias),
                  "layer_norm.dy": numpy(dy)})
    for suffix, eps in (("eps5", 1e-5), ("eps12", 1e-12)):
        rows = slice(None) if eps == 1e-5 else slice(0, 3)  # eps 1e-12 makes the constant row ill-conditioned
        inputs = [t.clone().requires_grad_() for t in (x[rows], weight, bias)]
        y = F.layer_norm(inputs[0], (16,), inputs[1], inputs[2], eps)
        y.backward(dy[rows])
        store[f"layer_norm.{suffix}.y"] = numpy(y)
        for name, tensor in zip(("dx", "dweight", "dbias"), inputs):
            store[f"layer_norm.{suffix}.{name}"] = numpy(tensor.grad)


def visible(pattern, q_len, k_len, prefix):
    """[q_len, k_len]: may query r, at position k_len - q_len + r of its keys, see key j?"""
    position, key = torch.arange(q_len)[:, None] + k_len - q_len, torch.arange(k_len)[None]
    if pattern == "bidirectional":
        return torch.ones(q_len, k_len, dtype=torch.bool)
    return (key <= position) | (key < (prefix if pattern == "prefix" else 0))


def attention_case(store, name, pattern, q_lengths, k_lengths, prefixes, heads=2, width=8):
    """Packed multi-head attention; the reference runs scaled_dot_product_attention on one sequence at a time."""
    q, k, v, dy = normal(sum(q_lengths), width), *(normal(sum(k_lengths), width) for _ in "kv"), normal(
        sum(q_lengths), width)
    inputs, outputs, q_start, k_start = [t.clone().requires_grad_() for t in (q, k, v)], [], 0, 0
    for q_len, k_len, prefix in zip(q_lengths, k_lengths, prefixes):
        if q_len and k_len:
            split = [t[start:start + length].reshape(length, heads, -1).transpose(0, 1) for t, start, length in
                     zip(inputs, (q_start, k_start, k_start), (q_len, k_len, k_len))]
            y = F.scaled_dot_product_attention(*split, attn_mask=visible(pattern, q_len, k_len, prefix))
            outputs.append(y.transpose(0, 1).reshape(q_len, width))
        q_start, k_start = q_start + q_len, k_start + k_len
    y = torch.cat(outputs)
    y.backward(dy)
    prefix = f"attention.{name}."
    store.update({prefix + "q": numpy(q), prefix + "k": numpy(k), prefix + "v": numpy(v), prefix + "dy": numpy(dy),
                  prefix + "y": numpy(y)})
    for key, tensor in zip(("dq", "dk", "dv"), inputs):
        store[prefix + key] = numpy(tensor.grad)
    for key, value in (("q_lengths", q_lengths), ("k_lengths", k_lengths), ("prefix", prefixes)):
        store[prefix + key] = np.array(value, dtype=np.int64)
    store[prefix + "heads"] = np.array(heads, dtype=np.int64)


def attention(store):
    lengths, prefixes = [5, 1, 0, 7, 3], [3, 1, 0, 0, 3]
    for pattern in ("bidirectional", "causal", "prefix"):
        attention_case(store, pattern, pattern, lengths, lengths, prefixes)
    attention_case(store, "cached", "causal", [1, 2, 3], [4, 2, 6], [0, 0, 0])
    attention_case(store, "cached_prefix", "prefix", [1, 2, 3], [4, 2, 6], [2, 1, 5])
    attention_case(store, "cross", "bidirectional", [2, 4, 1], [5, 1, 3], [0, 0, 0])


def optimisers(store):
    """Five steps on a vector of 7 with given gradients; parameters after each step."""
    start, grads, rates = normal(7), normal(5, 7), np.array([1e-2, 2e-2, 1.5e-2, 1e-2, 5e-3])
    grads[2] = (grads[2] * 100.0).float().double()
    grads[:, 6] = 0.0  # an element without gradient moves by decay only
    store.update({"optim.start": numpy(start), "optim.grads": numpy(grads), "optim.lr": rates})
    makers = {"adamw_decay": lambda p: torch.optim.AdamW([p], betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01),
              "adamw_plain": lambda p: torch.optim.AdamW([p], betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0),
              "adamw_betas": lambda p: torch.optim.AdamW([p], betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
              "sgd": lambda p: torch.optim.SGD([p], lr=1.0),
              "sgd_momentum": lambda p: torch.optim.SGD([p], lr=1.0, momentum=0.9)}
    for name, make in makers.items():
        p, after = start.clone().requires_grad_(), []
        optimizer = make(p)
        for grad, rate in zip(grads, rates):
            optimizer.param_groups[0]["lr"] = rate
            p.grad = grad.clone()
            optimizer.step()
            after.append(numpy(p))
        store["optim." + name] = np.stack(after)


def schedules(store):
    """Multipliers of the learning rate in steps 0 .. 20 with 4 warm-up steps of 20."""
    makers = {"linear": lambda o: get_linear_schedule_with_warmup(o, 4, 20),
              "linear_no_warmup": lambda o: get_linear_schedule_with_warmup(o, 0, 20),
              "cosine": lambda o: get_cosine_schedule_with_warmup(o, 4, 20),
              "constant": lambda o: get_constant_schedule_with_warmup(o, 4)}
    for name, make in makers.items():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        schedule, values = make(optimizer), []
        for _ in range(21):
            values.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        store["schedule." + name] = np.array(values)


def clipping(store):
    first, second = normal(3, 2, scale=2.0), normal(4, scale=2.0)
    store["clip.grad0"], store["clip.grad1"] = numpy(first), numpy(second)
    for name, limit in (("one", 1.0), ("hundred", 100.0)):
        parameters = [torch.zeros_like(t).requires_grad_() for t in (first, second)]
        for p, g in zip(parameters, (first, second)):
            p.grad = g.clone()
        store[f"clip.{name}.norm"] = numpy(torch.nn.utils.clip_grad_norm_(parameters, limit))
        store[f"clip.{name}.clipped0"], store[f"clip.{name}.clipped1"] = (numpy(p.grad) for p in parameters)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=HERE)
    args = parser.parse_args()
    store = {}
    for part in (pointwise, cross_entropy, other_losses, layer_norm, attention, optimisers, schedules, clipping):
        part(store)
    save_golden(os.path.join(args.out, "ops_golden.safetensors"), store)


if __name__ == "__main__":
    main()
