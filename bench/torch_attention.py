"""Fused attention of PyTorch, forward and backward: the other side of `build/tools/bench --ops --only attention`.

Sequences of equal length, as many as there are tokens for; query, key and value lie side by side, as a joined projection leaves
them. Prints one JSON object per backend, length and width: the minimum over --repeat of the mean of --calls, with one wait for
the device behind them. Needs torch.
"""
import argparse
import json
import math
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

BACKENDS = {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash": SDPBackend.FLASH_ATTENTION, "math": SDPBackend.MATH}


def numbers(text):
    return [int(part) for part in text.split(",")]


parser = argparse.ArgumentParser()
parser.add_argument("--backends", default="cudnn,flash")
parser.add_argument("--tokens", type=int, default=16384)
parser.add_argument("--lengths", type=numbers, default=[128, 512])
parser.add_argument("--head-widths", type=numbers, default=[32, 64, 128])
parser.add_argument("--heads", type=int, default=12)
parser.add_argument("--dropout", type=float, default=0.0)
parser.add_argument("--repeat", type=int, default=10)
parser.add_argument("--calls", type=int, default=10)
parser.add_argument("--device", default="cuda")
parser.add_argument("--dtype", choices=["fp32", "bf16"], default="bf16")
parser.add_argument("--threads", type=int, default=0)
args = parser.parse_args()
if args.threads:
    torch.set_num_threads(args.threads)
wait = torch.cuda.synchronize if args.device != "cpu" else (lambda: None)


def milliseconds(call):
    wait()
    begin = time.perf_counter()
    for i in range(args.calls):
        call(i)
    wait()
    return (time.perf_counter() - begin) * 1e3 / args.calls


def measure(length, width):
    shape = (max(1, args.tokens // length), length, 3, args.heads, width)
    joined = torch.rand(shape, device=args.device, dtype=torch.bfloat16 if args.dtype == "bf16" else torch.float32) * 2 - 1
    leaves = [part.transpose(1, 2).detach().requires_grad_() for part in joined.unbind(2)]
    gradient = torch.rand_like(leaves[0])
    forward, backward = math.inf, math.inf
    for i in range(args.repeat + 2):  # two rounds warm up
        outputs = []
        once = milliseconds(lambda _: outputs.append(
            torch.nn.functional.scaled_dot_product_attention(*leaves, dropout_p=args.dropout)))
        back = milliseconds(lambda k: torch.autograd.grad(outputs[k], leaves, gradient))
        if i >= 2:
            forward, backward = min(forward, once), min(backward, back)
    work = shape[0] * length * length * args.heads * width
    return {"forward_ms": forward, "backward_ms": backward, "forward_gflops": 4 * work / forward / 1e6,
            "backward_gflops": 10 * work / backward / 1e6}


for backend in args.backends.split(","):
    for length in args.lengths:
        for width in args.head_widths:
            line = {"backend": backend, "length": length, "head_width": width, "heads": args.heads, "dropout": args.dropout}
            try:
                with sdpa_kernel(BACKENDS[backend]):
                    line.update(measure(length, width))
            except RuntimeError as error:  # this backend does not take the shape
                line["error"] = str(error).splitlines()[0]
            print(json.dumps(line), flush=True)
