"""Writes span_golden.safetensors: BertForQuestionAnswering on the trunk of tiny_bert/; README.md tells the formats.

    python make_span_golden.py [--out DIR]

Two packed batches of windows, "a" and "b". Of "a": logits [T, 2], loss (mean over windows of the mean of two
cross-entropies over all positions, as in transformers), the gradient of every parameter; then ten training steps that
take "a" and "b" in turn. Everything is float64. qa_outputs is drawn here and stored.
"""
import argparse
import os

import numpy as np
import torch
from transformers import BertForQuestionAnswering, BertTokenizerFast, get_linear_schedule_with_warmup

from bert_reference import HERE, decay_groups, gradients, pack, save_golden

TEXTS_A = [("is it good", "the cat is not good, the dog is."), ("who", "a big fox."), "not a bad day", ("quick", "no!")]
SPANS_A = [(11, 12), (0, 0), (3, 5), (3, 4)]
TEXTS_B = [("the", "quick and not bad"), "good.", ("is the dog big", "it is a cat. it is not big.")]
SPANS_B = [(3, 6), (1, 1), (0, 0)]


def make_model(dtype=torch.float64):
    model = BertForQuestionAnswering.from_pretrained(os.path.join(HERE, "tiny_bert"), num_labels=2,
                                                     attn_implementation="eager", torch_dtype=torch.float32)
    random = np.random.RandomState(5)
    with torch.no_grad():
        for parameter in model.qa_outputs.parameters():
            values = random.standard_normal(tuple(parameter.shape)) * 0.2
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))
    return model.to(dtype).eval()


def forward(model, batch):
    """Logits [T, 2] and the loss of a packed batch, its windows one by one."""
    logits, losses, start = [], [], 0
    ids, types = (torch.from_numpy(batch[key]) for key in ("ids", "types"))
    for length, first, last in zip(batch["lengths"].tolist(), batch["starts"], batch["ends"]):
        rows = slice(start, start + length)
        output = model(input_ids=ids[None, rows], token_type_ids=types[None, rows],
                       start_positions=torch.tensor([first]), end_positions=torch.tensor([last]))
        logits.append(torch.stack([output.start_logits[0], output.end_logits[0]], dim=1))
        losses.append(output.loss)
        start += length
    return torch.cat(logits), torch.stack(losses).mean()


def packed(tokenizer, texts, spans):
    batch = pack(tokenizer, texts, [0] * len(texts), 40)
    del batch["labels"]
    batch["starts"], batch["ends"] = (np.array(list(part), dtype=np.int64) for part in zip(*spans))
    assert (batch["ends"] < batch["lengths"]).all()
    return batch


def train(model, batches, lr=1e-3, steps=10):
    optimizer = torch.optim.AdamW(decay_groups(model, 0.01), lr=lr, betas=(0.9, 0.999), eps=1e-8)
    schedule = get_linear_schedule_with_warmup(optimizer, 2, steps)
    losses, rates, norms = [], [], []
    for step in range(steps):
        loss = forward(model, batches[step % len(batches)])[1]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        losses.append(loss.item())
        rates.append(optimizer.param_groups[0]["lr"])
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
        optimizer.step()
        schedule.step()
    return np.array(losses), np.array(rates), np.array(norms)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=HERE)
    args = parser.parse_args()
    tokenizer = BertTokenizerFast.from_pretrained(os.path.join(HERE, "tiny_bert"))
    batches = [packed(tokenizer, TEXTS_A, SPANS_A), packed(tokenizer, TEXTS_B, SPANS_B)]
    store = {prefix + key: value for prefix, batch in zip(("a.", "b."), batches) for key, value in batch.items()}
    model = make_model()
    for name, parameter in model.qa_outputs.named_parameters():
        store["qa_outputs." + name] = parameter.detach().float().numpy()
    logits, loss = forward(model, batches[0])
    grads = gradients(model, loss)
    store.update({"logits": logits.detach().numpy(), "loss": np.array(loss.item())})
    store.update({"grad." + name: value for name, value in grads.items()})
    store["grad_norm"] = np.array(np.sqrt(sum((value ** 2).sum() for value in grads.values())))
    store["train.loss"], store["train.lr"], store["train.grad_norm"] = train(make_model(), batches)
    save_golden(os.path.join(args.out, "span_golden.safetensors"), store)


if __name__ == "__main__":
    main()
