"""Writes tiny_bert/, tiny_bert_golden.safetensors and minilm_golden.safetensors; see README.md for their content.

    python make_bert_golden.py [--only tiny|minilm] [--minilm DIR] [--out DIR]

Needs torch, transformers, numpy and safetensors. Everything is float64 unless a name says f32.
"""
import argparse
import json
import math
import os

import numpy as np
import torch
import transformers
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

from bert_reference import (HERE, HIDDEN_PROJECTIONS, PROJECTIONS, classification_loss, fixed_classifier, forward,
                            gradients, load_classifier, minilm_dir, pack, project, save_golden, train)

TINY_TEXTS_A = ["a cat sat", ("the dog is not bad", "it is good!"), "no.", "zigzag, the big fox is quick and good"]
TINY_LABELS_A = [0, 2, 1, 2]
TINY_TEXTS_B = ["not good", "the cat is a dog?", ("big", "bad!"), "quick"]
TINY_LABELS_B = [1, 0, 2, 1]

MINILM_TEXTS = [
    "Splendid work.",
    "The train was late again, and nobody told us why.",
    ["A woman waters the tomatoes behind her house.", "Somebody is taking care of a garden."],
    "Although the second act drags a little, the music and the two leading actors carried me through to the end, "
    "and I left the theatre humming its quiet, melancholy theme.",
    "Is this seat taken?",
    "Café Müller opens at 7:30 on weekdays; on Sundays it doesn't open before ten.",
]
MINILM_LABELS = [1, 0, 1, 1, 0, 0]
MINILM_TRAIN_TEXTS = [
    "A warm and funny story that never loses its way.",
    "The soup was cold and the waiter did not care.",
    "I would read it again tomorrow.",
    "Two hours of noise without a single idea.",
    "Her voice fills the hall like sunlight.",
    "The battery died after three days, and so did my patience.",
    "Easily the best bread in town, still warm at noon.",
    "What a waste of a good title.",
]
MINILM_TRAIN_LABELS = [1, 0, 1, 0, 1, 0, 1, 0]


def write_tiny_bert(directory):
    """A random BERT: weights N(0, 0.2), LayerNorm weights 1 + N(0, 0.2); labels no / maybe / yes."""
    os.makedirs(directory, exist_ok=True)
    letters = [chr(ord("a") + i) for i in range(26)]
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", "!", "the", "is", "not", "good"]
    vocab += letters + ["##" + letter for letter in letters]
    vocab_file = os.path.join(directory, "vocab.txt")
    with open(vocab_file, "w", encoding="utf-8") as f:
        f.write("\n".join(vocab) + "\n")
    tokenizer = BertTokenizerFast(vocab_file=vocab_file, do_lower_case=True, model_max_length=40)
    tokenizer.save_pretrained(directory)
    os.remove(os.path.join(directory, "special_tokens_map.json"))
    labels = ["no", "maybe", "yes"]
    config = BertConfig(vocab_size=len(vocab), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                        intermediate_size=64, max_position_embeddings=40, type_vocab_size=2, hidden_act="gelu",
                        id2label=dict(enumerate(labels)), label2id={label: i for i, label in enumerate(labels)},
                        torch_dtype="float32")
    model = BertForSequenceClassification(config)
    random = np.random.RandomState(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = random.standard_normal(tuple(parameter.shape)) * 0.2 + name.endswith("LayerNorm.weight")
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))
    model.save_pretrained(directory, safe_serialization=True)
    os.chmod(os.path.join(directory, "model.safetensors"), 0o644)


def numpy_logits(model, batch):
    """The forward pass written once more from the paper, to vouch for the reference itself."""
    w = {name: p.detach().numpy() for name, p in model.named_parameters()}
    heads, layers = model.config.num_attention_heads, model.config.num_hidden_layers

    def linear(x, name):
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + model.config.layer_norm_eps)
        return scaled * w[name + ".weight"] + w[name + ".bias"]

    erf = np.vectorize(math.erf)
    result, start = [], 0
    for length in batch["lengths"]:
        ids, types, positions = (batch[key][start:start + length] for key in ("ids", "types", "positions"))
        x = norm(w["bert.embeddings.word_embeddings.weight"][ids]
                 + w["bert.embeddings.position_embeddings.weight"][positions]
                 + w["bert.embeddings.token_type_embeddings.weight"][types], "bert.embeddings.LayerNorm")
        for i in range(layers):
            layer = f"bert.encoder.layer.{i}."
            q, k, v = (linear(x, layer + "attention.self." + part).reshape(length, heads, -1).transpose(1, 0, 2)
                       for part in ("query", "key", "value"))
            scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            context = (weights @ v).transpose(1, 0, 2).reshape(length, -1)
            x = norm(x + linear(context, layer + "attention.output.dense"), layer + "attention.output.LayerNorm")
            inner = linear(x, layer + "intermediate.dense")
            inner = inner * 0.5 * (1 + erf(inner / np.sqrt(2)))
            x = norm(x + linear(inner, layer + "output.dense"), layer + "output.LayerNorm")
        result.append(linear(np.tanh(linear(x[0], "bert.pooler.dense")), "classifier"))
        start += length
    return np.stack(result)


def padded_logits(model, batch):
    """The same batch as most programs run it: padded, with an attention mask."""
    count, longest = len(batch["lengths"]), max(batch["lengths"])
    ids, types, mask = (np.zeros((count, longest), dtype=np.int64) for _ in range(3))
    for row, end in enumerate(np.cumsum(batch["lengths"])):
        length = batch["lengths"][row]
        ids[row, :length], types[row, :length] = batch["ids"][end - length:end], batch["types"][end - length:end]
        mask[row, :length] = 1
    with torch.no_grad():
        output = model(input_ids=torch.from_numpy(ids), token_type_ids=torch.from_numpy(types),
                       attention_mask=torch.from_numpy(mask))
    return output.logits.numpy()


def verify(model, batch, logits, grads):
    """Checks the reference: second implementation, padding, and central differences along random directions."""
    assert np.abs(padded_logits(model, batch) - logits).max() < 1e-11
    assert np.abs(numpy_logits(model, batch) - logits).max() < 1e-11
    random, step = np.random.RandomState(2), 1e-6
    for name, parameter in model.named_parameters():
        direction = torch.from_numpy(random.standard_normal(tuple(parameter.shape)))
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(direction, alpha=sign * step)
                values.append(classification_loss(forward(model, batch)[2], batch).item())
                parameter.add_(direction, alpha=-sign * step)
        expected = float((grads[name] * direction.numpy()).sum())
        difference = abs((values[0] - values[1]) / (2 * step) - expected)
        assert difference < 1e-7 * (1 + abs(expected)), (name, difference, expected)


def put_batch(store, prefix, batch):
    store.update({prefix + key: value for key, value in batch.items()})


def head_losses(pooled, random):
    """Regression and multi-label losses of two more heads on the pooled output [B, H]: values and head gradients."""
    store = {"mse.weight": random.standard_normal((1, 32)) * 0.2, "mse.bias": random.standard_normal(1) * 0.2,
             "mse.targets": np.array([0.5, -1.25, 3.0, 0.0]),
             "bce.weight": random.standard_normal((3, 32)) * 0.2, "bce.bias": random.standard_normal(3) * 0.2,
             "bce.targets": np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], dtype=np.float64)}
    store = {key: value.astype(np.float32).astype(np.float64) for key, value in store.items()}
    for head in ("mse", "bce"):
        weight, bias = (torch.from_numpy(store[f"{head}.{part}"]).requires_grad_() for part in ("weight", "bias"))
        targets, logits = torch.from_numpy(store[head + ".targets"]), pooled.detach() @ weight.T + bias
        if head == "mse":
            loss = torch.nn.functional.mse_loss(logits[:, 0], targets)
        else:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
        loss.backward()
        store.update({f"{head}.logits": logits.detach().numpy(), f"{head}.loss": np.array(loss.item()),
                      f"{head}.grad.weight": weight.grad.numpy(), f"{head}.grad.bias": bias.grad.numpy()})
    return store


def put_training(store, make_model, batches, lr):
    """Ten steps in float64 and float32; norms of the final parameters."""
    for suffix, dtype in (("", torch.float64), ("_f32", torch.float32)):
        model = make_model(dtype)
        losses, rates, norms = train(model, batches, lr)
        store["train.loss" + suffix], store["train.grad_norm" + suffix] = losses, norms
        store["train.lr"] = rates
        if not suffix:
            for name, parameter in model.named_parameters():
                store["train.final_norm." + name] = np.array(parameter.detach().norm().item())
    noise = np.abs(store["train.loss"] - store["train.loss_f32"]).max()
    print(f"training losses {store['train.loss'][0]:.6f} ... {store['train.loss'][-1]:.6f}, "
          f"float32 differs by {noise:.2e}")


def make_tiny(out):
    directory = os.path.join(out, "tiny_bert")
    write_tiny_bert(directory)
    tokenizer = BertTokenizerFast.from_pretrained(directory)
    batches = [pack(tokenizer, TINY_TEXTS_A, TINY_LABELS_A, 40), pack(tokenizer, TINY_TEXTS_B, TINY_LABELS_B, 40)]
    store = {}
    put_batch(store, "a.", batches[0])
    put_batch(store, "b.", batches[1])
    model = load_classifier(directory, 3)
    hidden, pooled, logits = forward(model, batches[0])
    loss = classification_loss(logits, batches[0])
    grads = gradients(model, loss)
    verify(model, batches[0], logits.detach().numpy(), grads)
    store.update({f"hidden.{i}": state.detach().numpy() for i, state in enumerate(hidden)})
    store.update({"pooled": pooled.detach().numpy(), "logits": logits.detach().numpy(), "loss": np.array(loss.item())})
    store.update({"grad." + name: value for name, value in grads.items()})
    store["grad_norm"] = np.array(np.sqrt(sum((value ** 2).sum() for value in grads.values())))
    store.update(head_losses(pooled, np.random.RandomState(3)))
    for activation in ("gelu_new", "relu"):
        with torch.no_grad():
            variant = forward(load_classifier(directory, 3, hidden_act=activation), batches[0])
        store[f"{activation}.logits"] = variant[2].numpy()
        print(activation, "moves the logits by", np.abs(store[f"{activation}.logits"] - store["logits"]).max())
    put_training(store, lambda dtype: load_classifier(directory, 3, dtype), batches, 1e-3)
    save_golden(os.path.join(out, "tiny_bert_golden.safetensors"), store)
    save_texts(os.path.join(out, "tiny_bert_golden.json"), {"texts_a": TINY_TEXTS_A, "texts_b": TINY_TEXTS_B})


def make_minilm(out, directory):
    tokenizer = BertTokenizerFast.from_pretrained(directory)
    batch = pack(tokenizer, MINILM_TEXTS, MINILM_LABELS, 128)
    train_batch = pack(tokenizer, MINILM_TRAIN_TEXTS, MINILM_TRAIN_LABELS, 128)
    print("lengths", batch["lengths"], train_batch["lengths"])

    def make_model(dtype):
        model = load_classifier(directory, 2, torch.float32)
        fixed_classifier(model)
        return model.to(dtype)

    model = make_model(torch.float64)
    hidden, pooled, logits = forward(model, batch)
    loss = classification_loss(logits, batch)
    grads = gradients(model, loss)
    store = {}
    put_batch(store, "", batch)
    put_batch(store, "train.", train_batch)
    store["classifier.weight"] = model.classifier.weight.detach().float().numpy()
    for i, state in enumerate(hidden):
        store[f"hidden_projection.{i}"] = project(state.detach().numpy(), HIDDEN_PROJECTIONS)
    store["hidden.last"] = hidden[-1].detach().float().numpy()
    store.update({"pooled": pooled.detach().numpy(), "logits": logits.detach().numpy(), "loss": np.array(loss.item())})
    for name, value in grads.items():
        store["grad_norm." + name] = np.array(np.linalg.norm(value))
        store["grad_projection." + name] = project(value, PROJECTIONS)
    store["grad_norm"] = np.array(np.sqrt(sum((value ** 2).sum() for value in grads.values())))
    put_training(store, make_model, [train_batch], 2e-5)
    save_golden(os.path.join(out, "minilm_golden.safetensors"), store)
    save_texts(os.path.join(out, "minilm_golden.json"), {"texts": MINILM_TEXTS, "train_texts": MINILM_TRAIN_TEXTS})


def save_texts(path, texts):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(texts, f, ensure_ascii=False, indent=1)
        f.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["tiny", "minilm"])
    parser.add_argument("--minilm", default=minilm_dir(), help="default: $SESAME_MINILM, else build/models/minilm")
    parser.add_argument("--out", default=HERE)
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    if args.only != "minilm":
        make_tiny(args.out)
    if args.only != "tiny":
        make_minilm(args.out, args.minilm)


if __name__ == "__main__":
    main()
