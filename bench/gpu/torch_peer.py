#!/usr/bin/env python3
"""What GpuBenchmark measures, by PyTorch: torch_peer.py DEVICE matmul|attention|encoder|training FOLDER SECONDS SHAPE...

Shapes are those of run.sh. Each result is a line in the folder's measurements.jsonl. Needs PyTorch 2.0 or newer, nothing else.
"""

import json
import re
import statistics
import sys
import time

import torch
from torch.nn import functional as F

WARM_UP = 4
FEWEST = 5
MOST = 1000


def numbers(shape):
    return [int(n) for n in re.split("[x:/]", shape)]


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


class MatMul:
    """x [M, K] times weights [N, K], both of one type."""

    unit = "TFLOP"

    def __init__(self, device, shape, dtype):
        self.m, self.k, self.n = numbers(shape.split(":")[1])
        self.device, self.dtype = device, dtype
        self.units = 2e-12 * self.m * self.k * self.n

    def prepare(self):
        self.x = torch.randn(self.m, self.k, device=self.device, dtype=self.dtype)
        self.w = torch.randn(self.n, self.k, device=self.device, dtype=self.dtype)

    def run(self):
        return torch.matmul(self.x, self.w.T)


class Attention:
    """Causal attention with grouped heads; keys are repeated beforehand, which is not measured."""

    unit = "TFLOP"

    def __init__(self, device, shape, dtype):
        self.prompts, self.tokens, self.heads, self.key_heads, self.width = numbers(shape)
        self.device, self.dtype = device, dtype
        pairs = self.prompts * self.tokens * (self.tokens + 1) / 2
        self.units = 4e-12 * pairs * self.heads * self.width

    def prepare(self):
        def drawn(heads):
            return torch.randn(self.prompts, heads, self.tokens, self.width, device=self.device, dtype=self.dtype)

        each = self.heads // self.key_heads
        self.q = drawn(self.heads)
        self.k = drawn(self.key_heads).repeat_interleave(each, 1)
        self.v = drawn(self.key_heads).repeat_interleave(each, 1)

    def run(self):
        return F.scaled_dot_product_attention(self.q, self.k, self.v, is_causal=True)


class Encoder:
    """A llama's forward pass over prompts of equal length, from token ids on the host to mean states on it."""

    unit = "tokens"
    # Hidden width, layers, heads, heads of keys, inner width, vocabulary: those of RandomModel.
    FORMS = {
        "tiny": (64, 2, 4, 2, 128, 1000),
        "110m": (768, 12, 12, 12, 2048, 32_000),
        "8b": (4096, 32, 32, 8, 14_336, 128_256),
    }

    def __init__(self, device, shape, dtype):
        model, batch = shape.split(":")
        self.prompts, self.tokens = numbers(batch)
        self.device = device
        self.units = self.prompts * self.tokens
        hidden, layers, self.heads, self.key_heads, inner, self.vocabulary = self.FORMS[model]
        self.width = hidden // self.heads
        keys = self.width * self.key_heads

        def matrix(rows, columns):
            return torch.empty(rows, columns, device=device, dtype=dtype).normal_(0, 0.02)

        def norm():
            return torch.ones(hidden, device=device, dtype=dtype)

        self.embeddings = matrix(self.vocabulary, hidden)
        self.layers = [
            {
                "qkv": matrix(hidden + 2 * keys, hidden),
                "o": matrix(hidden, hidden),
                "gate_up": matrix(2 * inner, hidden),
                "down": matrix(hidden, inner),
                "before": norm(),
                "between": norm(),
            }
            for _ in range(layers)
        ]
        self.norm = norm()
        frequencies = 1e6 ** (-torch.arange(0, self.width, 2, device=device) / self.width)
        angles = torch.outer(torch.arange(self.tokens, device=device), frequencies)
        angles = torch.cat([angles, angles], 1)
        self.cos, self.sin = angles.cos().to(dtype), angles.sin().to(dtype)

    def prepare(self):
        self.ids = torch.randint(0, self.vocabulary, (self.prompts, self.tokens))

    @staticmethod
    def rms_norm(x, weight):
        scale = torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6)
        return (x.float() * scale).to(x.dtype) * weight

    def rotate(self, x):
        a, b = x.chunk(2, -1)
        return x * self.cos + torch.cat([-b, a], -1) * self.sin

    def split(self, x, heads):
        return x.view(self.prompts, self.tokens, heads, self.width).transpose(1, 2)

    def run(self):
        x = F.embedding(self.ids.to(self.device), self.embeddings)
        hidden, keys = self.heads * self.width, self.key_heads * self.width
        each = self.heads // self.key_heads
        for layer in self.layers:
            q, k, v = F.linear(self.rms_norm(x, layer["before"]), layer["qkv"]).split([hidden, keys, keys], -1)
            q = self.rotate(self.split(q, self.heads))
            k = self.rotate(self.split(k, self.key_heads)).repeat_interleave(each, 1)
            v = self.split(v, self.key_heads).repeat_interleave(each, 1)
            attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + F.linear(attended.transpose(1, 2).reshape(self.prompts, self.tokens, hidden), layer["o"])
            gate, up = F.linear(self.rms_norm(x, layer["between"]), layer["gate_up"]).chunk(2, -1)
            x = x + F.linear(F.silu(gate) * up, layer["down"])
        return self.rms_norm(x, self.norm).float().mean(1).cpu()


class Training:
    """TrainingStep: STAR 256-128-64 with both meta networks, SparseAdam for the tables, fused Adam for the rest.

    Each scenario's rows go through its own tower, and the vectors of distinct users through the meta network once: the
    fastest of the forms that bench/peers.sh compares on CPUs.
    """

    unit = "samples"
    TABLES = (1_000_000, 300_000, 100_000, 30_000, 10_000, 10_000, 10_000, 10_000)
    SHARES = (0.5, 0.3, 0.2)
    USERS = 20_000
    WIDTH = 16
    RANK = 32
    META = 16
    STAR = (256, 128, 64, 1)
    BATCHES = 6

    def __init__(self, device, shape, dtype):
        self.batch, knowledge, largest = numbers(shape)
        self.device = device
        self.units = self.batch
        self.run_count = 0
        sizes = [min(size, largest) for size in self.TABLES]
        fields = len(sizes) * self.WIDTH
        scenarios = len(self.SHARES)

        def parameter(*extents):
            return torch.empty(*extents, device=device).normal_(0, 0.02).requires_grad_()

        self.tables = [parameter(size, self.WIDTH) for size in sizes]
        self.network = []

        def layer(*extents):
            self.network.append(parameter(*extents))
            return self.network[-1]

        widths = (fields,) + self.STAR
        # W [in, out] and b [out], shared, and of each scenario.
        self.shared = [(layer(i, o), layer(o)) for i, o in zip(widths, widths[1:])]
        self.own = [[(layer(i, o), layer(o)) for i, o in zip(widths, widths[1:])] for _ in range(scenarios)]
        self.user_meta = self.meta(layer, knowledge, (fields, self.META, fields))
        self.scenario_meta = self.meta(layer, knowledge, (fields, self.META, 1))
        self.alpha = layer(1)
        self.user_vectors = torch.randn(self.USERS, knowledge, device=device) * 16 / knowledge**0.5
        self.scenario_vectors = torch.randn(scenarios, knowledge, device=device) * 16 / knowledge**0.5
        self.adam = torch.optim.Adam(self.network, lr=1e-3, **({"fused": True} if device == "cuda" else {}))
        self.sparse = torch.optim.SparseAdam(self.tables, lr=1e-3)
        self.batches = [self.draw(sizes) for _ in range(self.BATCHES)]

    def meta(self, layer, knowledge, widths):
        """Trunk, then what makes the weights and the bias of each layer."""
        return (
            (layer(self.RANK, knowledge), layer(self.RANK)),
            [((layer(i * o, self.RANK), layer(i * o)), (layer(o, self.RANK), layer(o)), i, o)
             for i, o in zip(widths, widths[1:])],
        )

    def draw(self, sizes):
        """On the host, as TrainingStep's batches are: they are copied to the device in each step."""
        scenarios = torch.multinomial(torch.tensor(self.SHARES), self.batch, True).sort().values
        users = torch.randint(0, self.USERS, (self.batch,))
        distinct, index = users.unique(return_inverse=True)
        counts = [int((scenarios == s).sum()) for s in range(len(self.SHARES))]
        batch = (
            torch.stack([torch.randint(0, size, (self.batch,)) for size in sizes]),
            scenarios,
            distinct,
            index,
            (torch.rand(self.batch) < 0.3).float(),
        )
        return [part.pin_memory() if self.device == "cuda" else part for part in batch], counts

    def prepare(self):
        pass

    def generated(self, net, vectors, index, x):
        """Layers whose weights come from vectors; each row's are those of its index."""
        (trunk, trunk_bias), layers = net
        t = torch.relu(F.linear(vectors, trunk, trunk_bias))
        for n, (weight, bias, i, o) in enumerate(layers):
            w = F.linear(t, *weight).view(-1, i, o)
            b = F.linear(t, *bias)
            x = torch.bmm(x.unsqueeze(1), w[index]).squeeze(1) + b[index]
            if n + 1 < len(layers):
                x = torch.relu(x)
        return x

    def run(self):
        parts, counts = self.batches[self.run_count % self.BATCHES]
        self.run_count += 1
        ids, scenarios, distinct, index, labels = (part.to(self.device, non_blocking=True) for part in parts)
        looked_up = [F.embedding(ids[f], table, sparse=True) for f, table in enumerate(self.tables)]
        x = torch.cat(looked_up, 1)
        z = self.generated(self.user_meta, self.user_vectors[distinct], index, x)
        towers = []
        for s, h in enumerate(z.split(counts)):
            for n, ((w, b), (own_w, own_b)) in enumerate(zip(self.shared, self.own[s])):
                h = torch.addmm(b + own_b, h, w * own_w)
                if n + 1 < len(self.shared):
                    h = torch.relu(h)
            towers.append(h)
        logit = torch.cat(towers).squeeze(1)
        meta = self.generated(self.scenario_meta, self.scenario_vectors, scenarios, z).squeeze(1)
        share = torch.sigmoid(self.alpha)
        loss = F.binary_cross_entropy_with_logits(share * logit + (1 - share) * meta, labels)
        self.adam.zero_grad(set_to_none=True)
        self.sparse.zero_grad(set_to_none=True)
        loss.backward()
        self.adam.step()
        self.sparse.step()
        self.loss = loss.detach()


def contenders(kind, shape):
    """Names, types, and whether TensorFloat-32 may stand for float32."""
    f32 = ("PyTorch f32", torch.float32, False)
    tf32 = ("PyTorch tf32", torch.float32, True)
    bf16 = ("PyTorch bf16", torch.bfloat16, False)
    if kind == "matmul":
        return [bf16] if shape.startswith("bf16") else [f32, tf32]
    return {"attention": [f32, bf16], "encoder": [bf16], "training": [f32, tf32]}[kind]


def measure(workload, device, seconds):
    for _ in range(WARM_UP):
        workload.prepare()
        workload.run()
    synchronize(device)
    rates = []
    begin = time.perf_counter()
    while len(rates) < FEWEST or len(rates) < MOST and time.perf_counter() - begin < seconds:
        workload.prepare()
        synchronize(device)
        start = time.perf_counter()
        workload.run()
        synchronize(device)
        rates.append(workload.units / (time.perf_counter() - start))
    return rates


def main():
    device, kind, folder, seconds = sys.argv[1:5]
    kinds = {"matmul": MatMul, "attention": Attention, "encoder": Encoder, "training": Training}
    for shape in sys.argv[5:]:
        for name, dtype, tf32 in contenders(kind, shape):
            torch.backends.cuda.matmul.allow_tf32 = tf32
            with torch.enable_grad() if kind == "training" else torch.no_grad():
                workload = kinds[kind](device, shape, dtype)
                rates = measure(workload, device, float(seconds))
            line = {
                "contender": name,
                "workload": f"{kind} {shape}",
                "unit": workload.unit + "/s",
                "median": statistics.median(rates),
                "least": min(rates),
                "most": max(rates),
                "runs": len(rates),
            }
            with open(f"{folder}/measurements.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{line['workload']}: {name} {line['median']:.4g} {line['unit']}, median of {len(rates)} runs")
            del workload


if __name__ == "__main__":
    main()
