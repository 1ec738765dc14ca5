"""Fine-tunes a sentence classifier with Hugging Face transformers, as people run it: the other side of `build/tools/train`.

A TSV with a header, batches padded to their longest text, AdamW with linear warm-up (a tenth) and decay, clipping at 1.
Prints one JSON object: examples per second from the first batch to the last update, tokenising included, and peak memory.
--tokenize-first tokenises all texts before the clock starts, as a mapped data set does; --warm so many batches run before it.
Needs torch and transformers.
"""
import argparse
import json
import random
import resource
import time

import torch
from transformers import AutoTokenizer, BertForSequenceClassification, get_linear_schedule_with_warmup

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--train", required=True)
parser.add_argument("--text", default="sentence")
parser.add_argument("--text2")
parser.add_argument("--label", default="label")
parser.add_argument("--limit", type=int, default=0)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--lr", type=float, default=1e-4)
parser.add_argument("--max-length", type=int, default=128)
parser.add_argument("--group-by-length", action="store_true", help="sort by length within 50 batches, as its Trainer can")
parser.add_argument("--tokenize-first", action="store_true")
parser.add_argument("--warm", type=int, default=0)
parser.add_argument("--device", default="cpu")
parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32", help="bf16: autocast")
parser.add_argument("--threads", type=int, default=0)
args = parser.parse_args()
if args.threads:
    torch.set_num_threads(args.threads)
torch.manual_seed(1)

with open(args.train, encoding="utf-8-sig") as file:
    lines = [line.rstrip("\r\n").split("\t") for line in file]
header = {name: i for i, name in enumerate(lines[0])}
rows = lines[1:args.limit + 1 if args.limit else None]
texts = [row[header[args.text]] for row in rows]
seconds = [row[header[args.text2]] for row in rows] if args.text2 else None
names = sorted({row[header[args.label]] for row in rows})
targets = torch.tensor([names.index(row[header[args.label]]) for row in rows])

tokenizer = AutoTokenizer.from_pretrained(args.model)
model = BertForSequenceClassification.from_pretrained(args.model, num_labels=len(names))
model = model.float().to(args.device).train()  # float32 weights, also where the file has float16
order = list(range(len(rows)))
random.Random(1).shuffle(order)
if args.group_by_length:
    size = lambda i: len(texts[i]) + (len(seconds[i]) if seconds else 0)
    mega = 50 * args.batch_size
    order = [i for k in range(0, len(order), mega) for i in sorted(order[k:k + mega], key=size, reverse=True)]
batches = [order[k:k + args.batch_size] for k in range(0, len(order), args.batch_size)]
optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.01, fused=True)
schedule = get_linear_schedule_with_warmup(optimizer, len(batches) // 10, len(batches))



def tokenized(batch, **options):
    return tokenizer([texts[i] for i in batch], [seconds[i] for i in batch] if seconds else None, truncation=True,
                     max_length=args.max_length, **options)


if args.tokenize_first:
    whole = tokenized(range(len(rows)))
    features = [{key: whole[key][i] for key in whole} for i in range(len(rows))]


def inputs_of(batch):
    if args.tokenize_first:
        return tokenizer.pad([features[i] for i in batch], return_tensors="pt")
    return tokenized(batch, padding=True, return_tensors="pt")


def update(batch):
    inputs = inputs_of(batch).to(args.device)
    with torch.autocast(args.device, dtype=torch.bfloat16, enabled=args.dtype == "bf16"):
        loss = model(**inputs, labels=targets[batch].to(args.device)).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.detach()


for batch in batches[:args.warm]:
    update(batch).item()
begin = time.perf_counter()
for batch in batches:
    loss = update(batch)
final = loss.item()  # waits for the device
elapsed = time.perf_counter() - begin
print(json.dumps({"examples_per_second": round(len(rows) / elapsed, 1), "train_seconds": round(elapsed, 3), "final_loss": final,
                  "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
