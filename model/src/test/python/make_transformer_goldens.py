"""Makes the cases in ../resources/golden/transformers-more with transformers and torch.

Small random models in settings that the other goldens do not cover: biases everywhere, a head
width of its own, linear rope, a bare model without the "model." prefix, half precision.

    pip install torch==2.13.0 transformers==5.18.0
    python make_transformer_goldens.py ../resources/golden/transformers-more
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, LlamaModel, Qwen2Config, Qwen2ForCausalLM

LENGTHS = [9, 1, 14]
COMMON = dict(
    vocab_size=160,
    num_hidden_layers=2,
    num_attention_heads=6,
    num_key_value_heads=3,
    intermediate_size=72,
    max_position_embeddings=128,
    bos_token_id=None,
    eos_token_id=None,
)

CASES = {
    "llama_bias": dict(
        build=LlamaForCausalLM,
        config=LlamaConfig(
            **COMMON,
            hidden_size=96,
            head_dim=24,
            attention_bias=True,
            mlp_bias=True,
            rms_norm_eps=1e-3,
            rope_parameters=dict(rope_type="default", rope_theta=7777.0),
            tie_word_embeddings=True,
        ),
        dtype=torch.bfloat16,
    ),
    "llama_linear": dict(
        build=LlamaModel,
        config=LlamaConfig(
            **COMMON,
            hidden_size=48,
            rms_norm_eps=1e-5,
            rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=10000.0),
        ),
        dtype=torch.float16,
        legacy=dict(rope_theta=10000.0, rope_scaling=dict(type="linear", factor=4.0)),
    ),
    "qwen2_untied": dict(
        build=Qwen2ForCausalLM,
        config=Qwen2Config(
            **COMMON,
            hidden_size=60,
            rms_norm_eps=1e-6,
            sliding_window=4,
            use_sliding_window=False,
            rope_parameters=dict(rope_type="default", rope_theta=1e6),
            tie_word_embeddings=False,
        ),
        dtype=torch.float32,
    ),
}


def main(out):
    for seed, (name, case) in enumerate(CASES.items(), start=500):
        torch.manual_seed(seed)
        config = case["config"]
        model = case["build"](config).eval()
        with torch.no_grad():
            for parameter_name, parameter in model.named_parameters():
                if parameter_name.endswith("norm.weight"):
                    parameter.copy_(1 + 0.2 * torch.randn_like(parameter))
                elif parameter_name.endswith("bias"):
                    parameter.copy_(0.3 * torch.randn_like(parameter))
                else:
                    parameter.copy_(torch.randn_like(parameter) * parameter.shape[-1] ** -0.5)
        # The file's rounding is part of the model; the arithmetic is float32.
        model = model.to(case["dtype"])
        folder = out / name
        model.save_pretrained(folder)
        stored = json.loads((folder / "config.json").read_text())
        if "legacy" in case:
            stored["torch_dtype"] = stored.pop("dtype")
            del stored["rope_parameters"]
            stored.update(case["legacy"])
            (folder / "config.json").write_text(json.dumps(stored, indent=1))
        (folder / "generation_config.json").unlink(missing_ok=True)
        # Loaded anew: a cast model would have its rope frequencies rounded too.
        model = case["build"].from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        )
        longest = max(LENGTHS)
        ids = torch.randint(0, config.vocab_size, (len(LENGTHS), longest))
        mask = torch.zeros_like(ids)
        hidden = torch.zeros(len(LENGTHS), longest, config.hidden_size)
        base = model if isinstance(model, LlamaModel) else model.model
        with torch.no_grad():
            for row, length in enumerate(LENGTHS):
                mask[row, :length] = 1
                hidden[row, :length] = base(ids[row : row + 1, :length]).last_hidden_state[0]
        ids = ids * mask
        last = torch.stack([hidden[row, length - 1] for row, length in enumerate(LENGTHS)])
        mean = torch.stack([hidden[row, :length].mean(0) for row, length in enumerate(LENGTHS)])
        save_file(
            dict(
                input_ids=ids,
                attention_mask=mask,
                last_hidden_state=hidden,
                last_token=last,
                mean_pooled=mean,
            ),
            folder / "golden.safetensors",
        )
        print(name, stored, float(hidden.abs().max()))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
