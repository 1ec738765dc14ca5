"""Forward and training steps of a dense BERT in PyTorch: the other side of `build/tools/bench`.

Random weights, random tokens, dropout 0.1, AdamW with clipping at 1; prints one JSON object per case with the minimum of
--repeat. Needs torch and transformers.
"""
import argparse
import json
import resource
import time

import torch
from transformers import BertConfig, BertForSequenceClassification

SIZES = {"tiny": (2, 128, 2), "mini": (4, 256, 4), "minilm": (6, 384, 12), "base": (12, 768, 12), "large": (24, 1024, 16)}

parser = argparse.ArgumentParser()
parser.add_argument("--size", choices=SIZES, default="minilm")
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--length", type=int, default=128)
parser.add_argument("--repeat", type=int, default=5)
parser.add_argument("--threads", type=int, default=0)
parser.add_argument("--only", choices=["infer", "train"])
parser.add_argument("--compile", action="store_true", help="torch.compile")
args = parser.parse_args()
if args.threads:
    torch.set_num_threads(args.threads)

layers, width, heads = SIZES[args.size]
config = BertConfig(num_hidden_layers=layers, hidden_size=width, num_attention_heads=heads, intermediate_size=4 * width)
model = BertForSequenceClassification._from_config(config, attn_implementation="sdpa")
ids = torch.randint(1000, 30000, (args.batch, args.length))
labels = torch.arange(args.batch) % 2
run = torch.compile(model) if args.compile else model
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)


def infer():
    with torch.inference_mode():
        run(ids)


def train():
    optimizer.zero_grad(set_to_none=True)
    run(ids, labels=labels).loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


for what, step in (("infer", infer), ("train", train)):
    if args.only and args.only != what:
        continue
    model.train(what == "train")
    step(), step()
    times = []
    for _ in range(args.repeat):
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    print(json.dumps({"what": what, "ms": round(min(times) * 1e3, 2),
                      "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)
