"""Shared parts of the BERT reference scripts: packed batches, forward and training of the Hugging Face model,
random-sign projections.

Sequences are run one by one without padding, which is what a packed batch means; make_bert_golden.py checks that the
padded batch with an attention mask gives the same.
"""
import os

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from transformers import BertForSequenceClassification, get_linear_schedule_with_warmup

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE_DIR = os.path.dirname(os.path.dirname(HERE))
PROJECTIONS = 32         # per parameter gradient
HIDDEN_PROJECTIONS = 64  # per layer


def minilm_dir():
    return os.environ.get("SESAME_MINILM") or os.path.join(SOURCE_DIR, "build", "models", "minilm")


def load_classifier(directory, num_labels, dtype=torch.float64, **overrides):
    """The directory as BertForSequenceClassification: eager attention, evaluation mode, weights cast to dtype."""
    model = BertForSequenceClassification.from_pretrained(
        directory, num_labels=num_labels, attn_implementation="eager", torch_dtype=torch.float32, **overrides)
    return model.to(dtype).eval()


def fixed_classifier(model):
    """Sets classifier.weight[i, j] = float32(sin(i * H + j) * 0.02), classifier.bias = 0."""
    weight = model.classifier.weight
    values = np.sin(np.arange(weight.numel(), dtype=np.float64)).reshape(weight.shape) * 0.02
    with torch.no_grad():
        weight.copy_(torch.from_numpy(values.astype(np.float32)))
        model.classifier.bias.zero_()


def pack(tokenizer, texts, labels, max_length):
    """Texts (strings or pairs) as a packed batch of int64 arrays: ids, positions, types [T], lengths, labels [B]."""
    batch = {"ids": [], "positions": [], "types": [], "lengths": []}
    for text in texts:
        first, second = (text, None) if isinstance(text, str) else text
        encoded = tokenizer(first, second, truncation=True, max_length=max_length)
        batch["ids"] += encoded["input_ids"]
        batch["types"] += encoded["token_type_ids"]
        batch["positions"] += range(len(encoded["input_ids"]))
        batch["lengths"].append(len(encoded["input_ids"]))
    batch["labels"] = labels
    return {key: np.array(value, dtype=np.int64) for key, value in batch.items()}


def forward(model, batch):
    """Hidden states (a list of [T, H], embeddings first), pooled [B, H] and logits [B, C] of a packed batch."""
    hidden, pooled, start = None, [], 0
    ids, types, positions = (torch.from_numpy(np.array(batch[key])) for key in ("ids", "types", "positions"))
    for length in batch["lengths"].tolist():
        rows = slice(start, start + length)
        output = model.bert(input_ids=ids[None, rows], token_type_ids=types[None, rows],
                            position_ids=positions[None, rows], output_hidden_states=True)
        layers = [state[0] for state in output.hidden_states]
        hidden = [[layer] for layer in layers] if hidden is None else [h + [l] for h, l in zip(hidden, layers)]
        pooled.append(output.pooler_output)
        start += length
    pooled = torch.cat(pooled)
    return [torch.cat(layer) for layer in hidden], pooled, model.classifier(pooled)


def classification_loss(logits, batch):
    return torch.nn.functional.cross_entropy(logits, torch.from_numpy(np.array(batch["labels"])))


def gradients(model, loss):
    """Gradients of all parameters by name, as float64 arrays."""
    model.zero_grad(set_to_none=True)
    loss.backward()
    return {name: p.grad.detach().double().numpy().copy() for name, p in model.named_parameters()}


def decay_groups(model, weight_decay):
    """Parameter groups for AdamW: no decay on biases and LayerNorm weights."""
    plain = [n for n, _ in model.named_parameters() if n.endswith("bias") or "LayerNorm" in n]
    return [{"params": [p for n, p in model.named_parameters() if n not in plain], "weight_decay": weight_decay},
            {"params": [p for n, p in model.named_parameters() if n in plain], "weight_decay": 0.0}]


def train(model, batches, lr, warmup=2, steps=10, weight_decay=0.01, clip=1.0):
    """Trains without dropout, batch k % len(batches) in step k; arrays [steps]: loss (before the update), lr and
    gradient norm (before clipping) of each step."""
    optimizer = torch.optim.AdamW(decay_groups(model, weight_decay), lr=lr, betas=(0.9, 0.999), eps=1e-8)
    schedule = get_linear_schedule_with_warmup(optimizer, warmup, steps)
    losses, rates, norms = [], [], []
    model.eval()
    for step in range(steps):
        batch = batches[step % len(batches)]
        loss = classification_loss(forward(model, batch)[2], batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        losses.append(loss.item())
        rates.append(optimizer.param_groups[0]["lr"])
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), clip).item())
        optimizer.step()
        schedule.step()
    return np.array(losses), np.array(rates), np.array(norms)


def splitmix64(x):
    """First output of SplitMix64 with seed x (uint64 array): x = 0 gives 0xE220A8397B1DCDAF."""
    z = x + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def project(array, count):
    """count <= 64 random-sign sums of the flattened array [N]: out[k] = sum_e sign(k, e) * array[e], where sign(k, e)
    is -1 if bit k of splitmix64(e) is set and +1 otherwise."""
    flat = np.ascontiguousarray(array, dtype=np.float64).reshape(-1)
    index = np.flatnonzero(flat)
    values, bits = flat[index], splitmix64(index.astype(np.uint64))
    return np.array([np.sum(np.where((bits >> np.uint64(k)) & np.uint64(1), -values, values)) for k in range(count)])


def save_golden(path, store):
    """Writes the arrays in the order of their names, with the versions of the reference as metadata."""
    # ascontiguousarray makes scalars [1]; reshape makes them scalars again.
    arrays = {key: np.ascontiguousarray(value).reshape(value.shape) for key, value in sorted(store.items())}
    save_file(arrays, path, metadata={"torch": torch.__version__, "transformers": transformers.__version__})
    os.chmod(path, 0o644)
    print(os.path.basename(path), os.path.getsize(path), "bytes,", len(arrays), "tensors")
