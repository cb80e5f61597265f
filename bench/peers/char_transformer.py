# SPDX-License-Identifier: MIT
"""Trains the network of examples/char_transformer with PyTorch, eager, on the CPU, in float32.

    bench/peers/char_transformer.py TEXT --threads 2 [--steps 2000] [--seed 0] [--evaluate 0,100,300,500,1000,1500,2000]

The same recipe: 4 blocks of 4 heads, width 128, context 64, batches of 12; matrices normal of deviation 0.02, those in
front of a sum with the identity divided by sqrt(8); AdamW, betas 0.9 and 0.99, decay 0.1 of matrices; the gradient
clipped to norm 1; the rate rises over a twentieth of the steps to 1e-3 and falls along a cosine to 1e-4. Prints the
loss on 20 batches of 32 of the last tenth of the text, in nats per character, and the milliseconds of a step: the mean
and the least mean of 50 steps. As in the example a step is all from drawing the batch to the update.
"""

import argparse
import math
import time

import torch
import torch.nn.functional as F
from torch import nn

LAYERS, HEADS, WIDTH, CONTEXT, BATCH = 4, 4, 128, 64, 12


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.c_attn, self.out_proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.linear1, self.linear2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        b, n, _ = x.shape
        q, k, v = (part.view(b, n, HEADS, -1).transpose(1, 2) for part in self.c_attn(self.ln_1(x)).split(WIDTH, dim=2))
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out_proj(o.transpose(1, 2).reshape(b, n, WIDTH))
        return x + self.linear2(F.gelu(self.linear1(self.ln_2(x)), approximate="tanh"))


class Model(nn.Module):
    def __init__(self, characters):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(characters, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.h = nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln_f = nn.LayerNorm(WIDTH)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                sums = name.endswith(("out_proj.weight", "linear2.weight"))
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * LAYERS) if sums else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, ids):
        x = self.wte(ids) + self.wpe.weight[: ids.shape[1]]
        for block in self.h:
            x = block(x)
        return self.ln_f(x) @ self.wte.weight.T


def batch(text, count, generator):
    begins = torch.randint(len(text) - CONTEXT, (count,), generator=generator)
    pieces = text[begins[:, None] + torch.arange(CONTEXT + 1)]
    return pieces[:, :-1], pieces[:, 1:]


def loss_of(model, ids, following):
    return F.cross_entropy(model(ids).flatten(0, 1), following.reshape(-1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("text")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--until", type=int, default=None, help="stop here, with the rates of all --steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate", default="0,100,300,500,1000,1500,2000")
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(o.seed)
    data = open(o.text, "rb").read()
    number = {c: i for i, c in enumerate(sorted(set(data)))}
    ids = torch.tensor([number[c] for c in data])
    split = len(ids) * 9 // 10
    train, validation = ids[:split], ids[split:]
    model = Model(len(number))
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    adam = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
                             lr=1e-3, betas=(0.9, 0.99))
    warmup = o.steps // 20
    evaluate = {int(step) for step in o.evaluate.split(",")}
    generator = torch.Generator().manual_seed(o.seed + 1)
    seconds = []
    last = min(o.until or o.steps, o.steps)
    for step in range(last + 1):
        if step in evaluate:
            g = torch.Generator().manual_seed(o.seed + 2)
            with torch.no_grad():
                mean = sum(loss_of(model, *batch(validation, 32, g)).item() for _ in range(20)) / 20
            print(f"step {step:5}  validation loss {mean:.4f}", flush=True)
        if step == last:
            break
        begin = time.perf_counter()
        part = (step - warmup) / max(o.steps - warmup, 1)
        rate = (step + 1) / (warmup + 1) if step < warmup else 0.1 + 0.45 * (1 + math.cos(math.pi * part))
        for group in adam.param_groups:
            group["lr"] = 1e-3 * rate
        loss = loss_of(model, *batch(train, BATCH, generator))
        adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        loss.item()
        seconds.append(time.perf_counter() - begin)
    means = [sum(seconds[i:i + 50]) / 50 for i in range(0, len(seconds) - 49, 50)] or [min(seconds)]
    print(f"{1e3 * sum(seconds) / len(seconds):.2f} ms a step, least mean of 50 {1e3 * min(means):.2f}")


main()
