#!/usr/bin/env python3
"""Stores a llama- or qwen2-shaped safetensors model in F32 as GGUF files, one per type, each matrix quantised by ggml.

    bench/gguf_types.py MODEL_DIRECTORY OUT_DIRECTORY LIBRARY [TYPE...]
    bench/run.sh -m org.llm4msr.bench.encoding.QuantisedWeights VOCABULARY THREADS OUT_DIRECTORY/*.gguf

LIBRARY holds ggml_quantize_chunk, such as libjllama.so out of the jar of de.kherud:llama. TYPEs, all of them where
none is named: f32 f16 bf16 q8_0 q6_k q5_k q5_1 q5_0 q4_k q4_1 q4_0 iq4_nl iq4_xs q3_k q2_k. Rows must be multiples of
the type's block, 256 for the k types and iq4_xs, otherwise 32. The files have no tokenizer: they are read as token ids only.
"""
import ctypes
import json
import pathlib
import re
import struct
import sys

TYPES = {
    "f32": 0, "f16": 1, "bf16": 30, "q8_0": 8, "q6_k": 14, "q5_k": 13, "q5_1": 7, "q5_0": 6, "q4_k": 12,
    "q4_1": 3, "q4_0": 2, "iq4_nl": 20, "iq4_xs": 23, "q3_k": 11, "q2_k": 10,
}
NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
ALIGNMENT = 32


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def metadata(config):
    count, real, string = 4, 6, 8
    heads, family = config["num_attention_heads"], config["model_type"]
    pairs = [
        ("general.architecture", string, family),
        ("general.alignment", count, ALIGNMENT),
        ("tokenizer.ggml.model", string, "none"),
        (f"{family}.block_count", count, config["num_hidden_layers"]),
        (f"{family}.embedding_length", count, config["hidden_size"]),
        (f"{family}.feed_forward_length", count, config["intermediate_size"]),
        (f"{family}.context_length", count, config["max_position_embeddings"]),
        (f"{family}.vocab_size", count, config["vocab_size"]),
        (f"{family}.attention.head_count", count, heads),
        (f"{family}.attention.head_count_kv", count, config["num_key_value_heads"]),
        (f"{family}.attention.layer_norm_rms_epsilon", real, config["rms_norm_eps"]),
        (f"{family}.rope.freq_base", real, config["rope_theta"]),
        (f"{family}.rope.dimension_count", count, config["hidden_size"] // heads),
    ]
    out = b""
    for key, kind, value in pairs:
        out += text(key) + struct.pack("<I", kind)
        out += text(value) if kind == string else struct.pack("<f" if kind == real else "<I", value)
    return len(pairs), out


def gguf_name(name):
    layer = re.match(r"model\.layers\.(\d+)\.(.*)\.(weight|bias)$", name)
    if layer:
        return f"blk.{layer[1]}.{NAMES[layer[2]]}.{layer[3]}"
    return NAMES[name.removesuffix(".weight")] + ".weight"


def permuted(data, heads, rows, columns):
    """Rows as llama.cpp stores them: rope turns adjacent pairs instead of halves."""
    half, row = rows // heads // 2, 4 * columns
    order = (h * 2 * half + side * half + i for h in range(heads) for i in range(half) for side in (0, 1))
    return b"".join(data[r * row:(r + 1) * row] for r in order)


def tensors(directory, config):
    with open(directory / "model.safetensors", "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        start = file.tell()
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            if entry["dtype"] != "F32":
                sys.exit(f"{directory}: {name} is {entry['dtype']}, expected F32")
            begin, end = entry["data_offsets"]
            file.seek(start + begin)
            data, shape = file.read(end - begin), entry["shape"]
            if config["model_type"] == "llama" and name.endswith("q_proj.weight"):
                data = permuted(data, config["num_attention_heads"], *shape)
            if config["model_type"] == "llama" and name.endswith("k_proj.weight"):
                data = permuted(data, config["num_key_value_heads"], *shape)
            yield gguf_name(name), shape, data


def quantised(library, kind, shape, data):
    if kind == 0 or len(shape) == 1:
        return 0, data
    rows, columns = shape
    if columns % library.ggml_blck_size(kind):
        sys.exit(f"a matrix of {columns} columns has no whole blocks of {library.ggml_blck_size(kind)}")
    size = rows * library.ggml_row_size(kind, columns)
    out = ctypes.create_string_buffer(size)
    source = ctypes.cast(ctypes.c_char_p(data), ctypes.POINTER(ctypes.c_float))
    written = library.ggml_quantize_chunk(kind, source, out, 0, rows, columns, None)
    if written != size:
        sys.exit(f"ggml wrote {written} bytes, expected {size}")
    return kind, out.raw


def write(path, config, contents):
    pairs, head = metadata(config)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(contents), pairs) + head
    offset = 0
    for name, shape, kind, data in contents:
        head += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *reversed(shape))
        head += struct.pack("<IQ", kind, offset)
        offset += len(data) + -len(data) % ALIGNMENT
    with open(path, "wb") as file:
        file.write(head + bytes(-len(head) % ALIGNMENT))
        for _, _, _, data in contents:
            file.write(data + bytes(-len(data) % ALIGNMENT))


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    unknown = [name for name in sys.argv[4:] if name not in TYPES]
    if unknown:
        sys.exit(f"gguf_types.py: no type is called {unknown[0]}, expected one of {' '.join(TYPES)}")
    directory, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    library = ctypes.CDLL(sys.argv[3])
    library.ggml_row_size.restype = library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_blck_size.restype = ctypes.c_int64
    library.ggml_row_size.argtypes = [ctypes.c_int, ctypes.c_int64]
    library.ggml_quantize_chunk.argtypes = [
        ctypes.c_int, ctypes.POINTER(ctypes.c_float), ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
        ctypes.c_int64, ctypes.POINTER(ctypes.c_float)]
    config = json.loads((directory / "config.json").read_text())
    if config["model_type"] not in ("llama", "qwen2"):
        sys.exit(f"{directory}/config.json: model_type is {config['model_type']}, expected llama or qwen2")
    out.mkdir(parents=True, exist_ok=True)
    for number, (name, kind) in enumerate(TYPES.items()):
        if sys.argv[4:] and name not in sys.argv[4:]:
            continue
        contents = [(key, shape, *quantised(library, kind, shape, data))
                    for key, shape, data in tensors(directory, config)]
        path = out / f"{number:02}-{name}.gguf"
        write(path, config, contents)
        print(path, f"{path.stat().st_size >> 20} MiB", flush=True)


if __name__ == "__main__":
    main()
