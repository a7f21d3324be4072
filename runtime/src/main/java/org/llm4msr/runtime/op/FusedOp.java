package org.llm4msr.runtime.op;

/**
 * What several operators do one after the other, as one. No model asks for it: a plan puts it in
 * their place where its backend says that it gains by it, see {@link
 * org.llm4msr.runtime.backend.Backend#fuses}. It computes what they compute, but for rounding, and
 * has no gradient: graphs are differentiated before plans are made of them.
 */
public sealed interface FusedOp extends Op
    permits GatedMatMulOp,
        MatMulsOp,
        AddRmsNormOp,
        RowAttentionOp,
        SparseRowAdamOp,
        DeferredAdamOp,
        AdamCatchUpOp,
        GatheredMatMulOp,
        GatheredWeightGradientOp {}
