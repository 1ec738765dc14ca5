"""Writes tag_golden.safetensors (BertForTokenClassification on tiny_bert) and tag_golden.json (its words and tags;
entity scores of seqeval); see README.md for their content.

    python make_tag_golden.py [--out DIR]

Needs torch, transformers, numpy, safetensors and seqeval.
"""
import argparse
import json
import os
import random
import warnings

import numpy as np
import torch
import transformers
from seqeval.metrics import f1_score, precision_score, recall_score
from transformers import BertForTokenClassification, BertTokenizerFast, get_linear_schedule_with_warmup

from bert_reference import HERE, PROJECTIONS, decay_groups, fixed_classifier, gradients, project, save_golden

LABELS = ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]
SENTENCES_A = [
    (["the", "dog", "is", "not", "bad", "!"], ["O", "B-PER", "O", "O", "I-LOC", "O"]),
    (["Good"], ["B-LOC"]),
    (["zigzag", ",", "fox", "jumps,", "it's"], ["B-PER", "I-PER", "O", "B-LOC", "I-LOC"]),
    (["a", "good", "cat", "."], ["O", "B-PER", "I-PER", "O"]),
]
SENTENCES_B = [
    (["not", "good", "."], ["O", "B-LOC", "O"]),
    (["cat", "or", "dog", "?"], ["B-PER", "O", "B-PER", "I-PER"]),
]

# Gold and predicted tags of sets of sentences, odd ones among them.
ENTITY_CASES = {
    "plain BIO": ([["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG"]], [["B-PER", "I-PER", "O", "B-PER"], ["O", "B-ORG"]]),
    "I without B": ([["I-PER", "I-PER", "O"], ["O", "I-LOC"]], [["B-PER", "I-PER", "O"], ["I-LOC", "I-LOC"]]),
    "type changes inside": ([["B-PER", "I-LOC", "I-LOC"], ["B-PER", "I-PER"]], [["B-PER", "I-PER", "I-LOC"], ["B-PER", "I-LOC"]]),
    "touching entities": ([["B-PER", "B-PER", "I-PER"]], [["B-PER", "I-PER", "I-PER"]]),
    "IOB1": ([["I-PER", "I-PER", "B-PER", "O", "I-LOC"]], [["I-PER", "I-PER", "I-PER", "O", "I-LOC"]]),
    "BIOES": ([["S-PER", "O", "B-LOC", "I-LOC", "E-LOC", "S-LOC"]], [["S-PER", "O", "B-LOC", "E-LOC", "E-LOC", "S-PER"]]),
    "broken BIOES": ([["E-PER", "E-PER", "I-PER", "S-LOC", "I-LOC"]], [["I-PER", "E-PER", "B-PER", "S-LOC", "E-LOC"]]),
    "across sentences": ([["O", "B-PER"], ["I-PER", "O"]], [["O", "B-PER"], ["I-PER", "I-PER"]]),
    "types with dashes": ([["B-creative-work", "I-creative-work", "O"]], [["B-creative-work", "O", "B-creative"]]),
    "bare letters": ([["B", "I", "O", "B"]], [["B", "O", "O", "B"]]),
    "nothing predicted": ([["B-PER", "O"]], [["O", "O"]]),
    "nothing to find": ([["O", "O"]], [["B-PER", "O"]]),
}


def random_cases():
    """Sentences of tags drawn at random, from legal to hopeless."""
    draw = random.Random(7)
    for name, letters in (("random BIO", "BI"), ("random BIOES", "BIES")):
        tags = ["O"] + [f"{letter}-{kind}" for letter in letters for kind in ("A", "B", "C")]
        gold = [[draw.choice(tags) for _ in range(draw.randint(1, 12))] for _ in range(20)]
        guess = [[tag if draw.random() < 0.7 else draw.choice(tags) for tag in row] for row in gold]
        yield name, (gold, guess)


def entity_cases():
    cases = []
    for name, (gold, guess) in list(ENTITY_CASES.items()) + list(random_cases()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            types = sorted({tag.split("-", 1)[1] if "-" in tag else "_" for row in gold + guess for tag in row if tag != "O"})
            each = f1_score(gold, guess, average=None)  # sorted by type
            cases.append({"name": name, "gold": gold, "predicted": guess, "f1": f1_score(gold, guess),
                          "precision": precision_score(gold, guess), "recall": recall_score(gold, guess),
                          "types": dict(zip(types, np.atleast_1d(each).tolist()))})
    return cases


def pack(tokenizer, sentences):
    """A packed batch, the rows of the words' first tokens and their labels, all int64."""
    batch = {key: [] for key in ("ids", "positions", "types", "lengths", "rows", "labels")}
    for words, tags in sentences:
        encoded = tokenizer(words, is_split_into_words=True)
        begin, seen = len(batch["ids"]), set()
        for position, word in enumerate(encoded.word_ids()):
            if word is not None and word not in seen:
                seen.add(word)
                batch["rows"].append(begin + position)
                batch["labels"].append(LABELS.index(tags[word]))
        assert len(seen) == len(words)
        batch["ids"] += encoded["input_ids"]
        batch["types"] += encoded["token_type_ids"]
        batch["positions"] += range(len(encoded["input_ids"]))
        batch["lengths"].append(len(encoded["input_ids"]))
    return {key: np.array(value, dtype=np.int64) for key, value in batch.items()}


def forward(model, batch):
    """Logits [W, K] of the words, each sequence run by itself."""
    states, start = [], 0
    for length in batch["lengths"].tolist():
        rows = slice(start, start + length)
        output = model.bert(input_ids=torch.from_numpy(batch["ids"])[None, rows],
                            token_type_ids=torch.from_numpy(batch["types"])[None, rows])
        states.append(output.last_hidden_state[0])
        start += length
    return model.classifier(torch.cat(states)[torch.from_numpy(batch["rows"])])


def loss_of(logits, batch):
    return torch.nn.functional.cross_entropy(logits, torch.from_numpy(batch["labels"]))


def padded_loss(model, tokenizer, sentences):
    """The model's own loss on the padded batch with -100 everywhere but at first tokens, as most programs train."""
    encoded = tokenizer([words for words, _ in sentences], is_split_into_words=True, padding=True, return_tensors="pt")
    labels = torch.full(encoded.input_ids.shape, -100)
    for i, (_, tags) in enumerate(sentences):
        last = None
        for j, word in enumerate(encoded.word_ids(i)):
            if word is not None and word != last:
                labels[i, j] = LABELS.index(tags[word])
            last = word
    return model(**encoded, labels=labels).loss.item()


def load(directory, dtype):
    model = BertForTokenClassification.from_pretrained(directory, num_labels=len(LABELS), attn_implementation="eager",
                                                       ignore_mismatched_sizes=True, torch_dtype=torch.float32)
    fixed_classifier(model)
    return model.to(dtype).eval()


def train(model, batches, lr=1e-3, steps=10):
    """Losses before each update; the recipe of make_bert_golden.py."""
    optimizer = torch.optim.AdamW(decay_groups(model, 0.01), lr=lr, betas=(0.9, 0.999), eps=1e-8)
    schedule = get_linear_schedule_with_warmup(optimizer, 2, steps)
    losses = []
    for step in range(steps):
        batch = batches[step % len(batches)]
        loss = loss_of(forward(model, batch), batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return np.array(losses)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=HERE)
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    directory = os.path.join(HERE, "tiny_bert")
    tokenizer = BertTokenizerFast.from_pretrained(directory)
    batches = [pack(tokenizer, SENTENCES_A), pack(tokenizer, SENTENCES_B)]
    model = load(directory, torch.float64)
    logits = forward(model, batches[0])
    loss = loss_of(logits, batches[0])
    assert abs(padded_loss(model, tokenizer, SENTENCES_A) - loss.item()) < 1e-11
    store = {prefix + key: value for prefix, batch in zip(("a.", "b."), batches) for key, value in batch.items()}
    store.update({"classifier.weight": model.classifier.weight.detach().float().numpy(),
                  "logits": logits.detach().numpy(), "loss": np.array(loss.item())})
    for name, value in gradients(model, loss).items():
        store["grad_norm." + name] = np.array(np.linalg.norm(value))
        store["grad_projection." + name] = project(value, PROJECTIONS)
    store["train.loss"] = train(load(directory, torch.float64), batches)
    save_golden(os.path.join(args.out, "tag_golden.safetensors"), store)
    texts = {"labels": LABELS, "entities": entity_cases()}
    for name, sentences in (("a", SENTENCES_A), ("b", SENTENCES_B)):
        texts[name] = [{"words": words, "tags": tags} for words, tags in sentences]
    with open(os.path.join(args.out, "tag_golden.json"), "w", encoding="utf-8") as f:
        json.dump(texts, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
