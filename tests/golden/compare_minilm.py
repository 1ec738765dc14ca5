"""Compares a dump of this project's MiniLM run with Hugging Face in float64.

    python compare_minilm.py DUMP.safetensors [--minilm DIR]

The dump holds what the program computed on the batches of minilm_golden.safetensors (see README.md), F32 or F64:
    hidden.<i>       [T, H]  i = 0 (embeddings) .. 6
    pooled           [B, H]
    logits           [B, C]
    grad.<HF name>           gradient of the loss, for every parameter
    loss.<step>      scalar  ten training losses, step = 0 .. 9
Limits: hidden states, pooled and logits 2e-5 (largest difference); a gradient 1e-4 of its norm plus 1e-7 of the global
norm (Euclidean); training losses 2e-6. Exit code 0: all within; 1: something over, missing or of another shape.
"""
import argparse
import os
import sys

import numpy as np
import torch
from safetensors.numpy import load_file

from bert_reference import (HERE, classification_loss, fixed_classifier, forward, gradients, load_classifier,
                            minilm_dir, train)

STATE_LIMIT, GRADIENT_LIMIT, GLOBAL_LIMIT, LOSS_LIMIT = 2e-5, 1e-4, 1e-7, 2e-6


class Report:
    def __init__(self, dump, verbose):
        self.dump, self.verbose, self.failures, self.worst = dump, verbose, [], {}

    def check(self, group, name, reference, error, limit):
        """error(difference) against limit; remembers the largest quotient of the group."""
        if name not in self.dump:
            return self.fail(f"{name}: missing")
        ours = self.dump[name].astype(np.float64)
        if ours.shape != reference.shape:
            return self.fail(f"{name}: shape {ours.shape}, wanted {reference.shape}")
        value = error(ours - reference)
        quotient = value / limit if np.isfinite(value) else np.inf
        self.worst[group] = max(self.worst.get(group, (0, "", 0, 0)), (quotient, name, value, limit))
        if self.verbose or quotient > 1:
            print(f"{'over' if quotient > 1 else 'ok':5}{name:75} error {value:.2e} limit {limit:.2e}")
        if quotient > 1:
            self.failures.append(name)

    def fail(self, message):
        print("FAIL ", message)
        self.failures.append(message)


def largest(difference):
    return float(np.abs(difference).max())


def reference_model(directory):
    model = load_classifier(directory, 2, torch.float32)
    fixed_classifier(model)
    return model.double()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump")
    parser.add_argument("--minilm", default=minilm_dir(), help="default: $SESAME_MINILM, else build/models/minilm")
    parser.add_argument("--golden", default=os.path.join(HERE, "minilm_golden.safetensors"))
    parser.add_argument("--verbose", action="store_true", help="every tensor, not only those over the limit")
    args = parser.parse_args()
    report = Report(load_file(args.dump), args.verbose)
    golden = load_file(args.golden)
    keys = ("ids", "positions", "types", "lengths", "labels")
    batch, train_batch = {k: golden[k] for k in keys}, {k: golden["train." + k] for k in keys}

    model = reference_model(args.minilm)
    hidden, pooled, logits = forward(model, batch)
    grads = gradients(model, classification_loss(logits, batch))
    for i, state in enumerate(hidden):
        report.check("hidden", f"hidden.{i}", state.detach().numpy(), largest, STATE_LIMIT)
    report.check("pooled", "pooled", pooled.detach().numpy(), largest, STATE_LIMIT)
    report.check("logits", "logits", logits.detach().numpy(), largest, STATE_LIMIT)

    global_norm = np.sqrt(sum(np.sum(g ** 2) for g in grads.values()))
    for name, g in grads.items():
        limit = GRADIENT_LIMIT * np.linalg.norm(g) + GLOBAL_LIMIT * global_norm
        report.check("gradients", "grad." + name, g, lambda d: float(np.linalg.norm(d)), limit)

    losses, _, _ = train(reference_model(args.minilm), [train_batch], 2e-5)
    for step, loss in enumerate(losses):
        report.check("losses", f"loss.{step}", np.array(loss), largest, LOSS_LIMIT)

    known = {f"hidden.{i}" for i in range(len(hidden))} | {"pooled", "logits"} | {"grad." + n for n in grads}
    known |= {f"loss.{step}" for step in range(len(losses))}
    for name in sorted(set(report.dump) - known):
        report.fail(f"{name}: not known to the reference")
    for group, (quotient, name, value, limit) in report.worst.items():
        print(f"{group:10} worst {quotient:.3f} of the limit: {name} error {value:.2e} limit {limit:.2e}")
    print(f"{len(grads)} parameters, global gradient norm {global_norm:.6f}: "
          + (f"{len(report.failures)} FAILED" if report.failures else "all within the limits"))
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
