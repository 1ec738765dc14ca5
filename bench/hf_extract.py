"""Trains extractive question answering with Hugging Face transformers on SQuAD JSON: the other side of `build/tools/train`.

Windows of --max-length tokens that share --stride, made before the clock starts, as a mapped data set does; batches padded to
their longest window, AdamW with linear warm-up (a tenth) and decay, clipping at 1. Prints one JSON object: questions and windows
per second from the first batch to the last update. Needs torch and transformers.
"""
import argparse
import json
import random
import time

import torch
from transformers import AutoTokenizer, BertForQuestionAnswering, get_linear_schedule_with_warmup

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--train", required=True)
parser.add_argument("--limit", type=int, default=0, help="questions")
parser.add_argument("--batch-size", type=int, default=16)
parser.add_argument("--lr", type=float, default=1e-4)
parser.add_argument("--max-length", type=int, default=384)
parser.add_argument("--stride", type=int, default=128)
parser.add_argument("--warm", type=int, default=0)
parser.add_argument("--device", default="cpu")
parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32", help="bf16: autocast")
parser.add_argument("--threads", type=int, default=0)
args = parser.parse_args()
if args.threads:
    torch.set_num_threads(args.threads)
torch.manual_seed(1)

with open(args.train, encoding="utf-8") as file:
    questions = [(qa["question"].strip(), paragraph["context"], qa["answers"][0]) for article in json.load(file)["data"]
                 for paragraph in article["paragraphs"] for qa in paragraph["qas"] if qa["answers"]]
questions = questions[:args.limit or None]
tokenizer = AutoTokenizer.from_pretrained(args.model)
model = BertForQuestionAnswering.from_pretrained(args.model)
model = model.float().to(args.device).train()  # float32 weights, also where the file has float16


def windows_of(question, context, answer):
    """Features of each window with the first and last token of the answer, 0 and 0 where it is not inside."""
    first, last = answer["answer_start"], answer["answer_start"] + len(answer["text"])
    encoded = tokenizer(question, context, truncation="only_second", max_length=args.max_length, stride=args.stride,
                        return_overflowing_tokens=True, return_offsets_mapping=True)
    for i, offsets in enumerate(encoded["offset_mapping"]):
        inside = [j for j, part in enumerate(encoded.sequence_ids(i)) if part == 1]
        begin = end = 0
        if inside and offsets[inside[0]][0] <= first and offsets[inside[-1]][1] >= last:
            begin = max(j for j in inside if offsets[j][0] <= first)
            end = min(j for j in inside if offsets[j][1] >= last)
        yield {key: encoded[key][i] for key in ("input_ids", "attention_mask", "token_type_ids")}, begin, end


windows = [window for row in questions for window in windows_of(*row)]
random.Random(1).shuffle(windows)
batches = [windows[k:k + args.batch_size] for k in range(0, len(windows), args.batch_size)]
optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.01, fused=True)
schedule = get_linear_schedule_with_warmup(optimizer, len(batches) // 10, len(batches))


def update(batch):
    inputs = tokenizer.pad([window[0] for window in batch], return_tensors="pt").to(args.device)
    begins, ends = (torch.tensor([window[k] for window in batch]).to(args.device) for k in (1, 2))
    with torch.autocast(args.device, dtype=torch.bfloat16, enabled=args.dtype == "bf16"):
        loss = model(**inputs, start_positions=begins, end_positions=ends).loss
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
print(json.dumps({"examples_per_second": round(len(questions) / elapsed, 2), "windows_per_second": round(len(windows) / elapsed, 2),
                  "windows": len(windows), "train_seconds": round(elapsed, 3), "final_loss": final}))
