"""BERT inference in onnxruntime, plain and with its transformer fusions: the other side of `build/tools/bench --only embed` and
`--texts`.

With --shapes, the forward pass on random tokens; with --texts, the mean state of each line of a file, from characters on, padded to
the longest text of each batch. Batches in the order of the file, and in the order of length. Prints one JSON object per case, each
the minimum of --repeat. Needs torch, transformers, onnx and onnxruntime.
"""
import argparse
import json
import os
import tempfile
import time
import warnings

warnings.filterwarnings("ignore")
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
import torch  # noqa: E402
from onnxruntime.transformers import optimizer  # noqa: E402
from transformers import AutoTokenizer, BertModel  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--shapes", default="", help="1x32,8x128: batches times tokens")
parser.add_argument("--texts", help="file with one text a line")
parser.add_argument("--batches", default="1,8,32,128")
parser.add_argument("--repeat", type=int, default=5)
parser.add_argument("--threads", type=int, default=0)
args = parser.parse_args()


def graphs(folder):
    """Sessions of the exported graph and of the fused one."""
    model = BertModel.from_pretrained(args.model, attn_implementation="eager").eval()
    plain, fused = os.path.join(folder, "plain.onnx"), os.path.join(folder, "fused.onnx")
    ids = torch.randint(1000, 2000, (2, 16))
    axes = {name: {0: "batch", 1: "length"} for name in ("input_ids", "attention_mask", "states")}
    torch.onnx.export(model, (ids, torch.ones_like(ids)), plain, input_names=["input_ids", "attention_mask"],
                      output_names=["states"], dynamic_axes=axes, dynamo=False)
    optimizer.optimize_model(plain, model_type="bert", num_heads=model.config.num_attention_heads,
                             hidden_size=model.config.hidden_size).save_model_to_file(fused)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads or len(os.sched_getaffinity(0))
    return {name: onnxruntime.InferenceSession(path, options) for name, path in (("plain", plain), ("fused", fused))}


def best(action):
    action()
    times = []
    for _ in range(args.repeat):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return round(min(times) * 1e3, 3)


def embed(session, tokenizer, texts, batch):
    for begin in range(0, len(texts), batch):
        inputs = tokenizer(texts[begin:begin + batch], padding=True, return_tensors="np")
        mask = inputs["attention_mask"]
        states = session.run(None, {"input_ids": inputs["input_ids"], "attention_mask": mask})[0]
        weights = mask[:, :, None].astype(np.float32)
        (states * weights).sum(1) / weights.sum(1)


with tempfile.TemporaryDirectory() as folder:
    for name, session in graphs(folder).items():
        for shape in filter(None, args.shapes.split(",")):
            batch, length = map(int, shape.split("x"))
            inputs = {"input_ids": np.random.randint(1000, 30000, (batch, length)),
                      "attention_mask": np.ones((batch, length), np.int64)}
            print(json.dumps({"what": "embed", "graph": name, "batch": batch, "length": length,
                              "ms": best(lambda: session.run(None, inputs))}), flush=True)
        if not args.texts:
            continue
        with open(args.texts, encoding="utf-8") as file:
            texts = file.read().splitlines()
        tokenizer = AutoTokenizer.from_pretrained(args.model)
        for order, lines in (("file", texts), ("length", sorted(texts, key=len))):
            for batch in map(int, args.batches.split(",")):
                ms = best(lambda: embed(session, tokenizer, lines, batch))
                print(json.dumps({"what": "texts", "graph": name, "order": order, "batch": batch, "texts": len(texts),
                                  "embed_ms": ms, "texts_per_second": round(len(texts) / ms * 1e3, 1)}), flush=True)
