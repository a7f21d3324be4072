package org.llm4msr.bindings.cpu;

import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Instruction sets that the kernels are compiled for. The best one of this machine is chosen when
 * the library loads; the environment variable {@code LLM4MSR_ISA} (ref, base, avx2, avx512,
 * avx512vnni, avx512bf16, avx512amx) or {@link #select} choose another, for the whole process.
 */
public enum Isa {
  /** Plain C with double accumulation: the specification that the others are tested against. */
  REF,
  /** x86-64-v2, or plain vectors of four on other processors. */
  BASE,
  /** AVX2, FMA and F16C. */
  AVX2,
  /** AVX-512 F, BW, DQ and VL. */
  AVX512,
  /** AVX-512 with VNNI, which multiplies 8-bit integers. */
  AVX512_VNNI,
  /** That with products of BF16. */
  AVX512_BF16,
  /** That, with 8-bit products on the tile registers of AMX. */
  AVX512_AMX;

  private static final MethodHandle SUPPORTED =
      CpuLibrary.function(ValueLayout.JAVA_INT, "l4m_isa_supported", "I");
  private static final MethodHandle SELECTED =
      CpuLibrary.function(ValueLayout.JAVA_INT, "l4m_isa_selected", "");
  private static final MethodHandle SELECT =
      CpuLibrary.function(ValueLayout.JAVA_INT, "l4m_isa_select", "I");

  /** Whether this processor has it. */
  public boolean isSupported() {
    try {
      return (int) SUPPORTED.invokeExact(ordinal()) != 0;
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /** The one in use. */
  public static Isa selected() {
    try {
      return values()[(int) SELECTED.invokeExact()];
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Uses it from now on.
   *
   * @throws IllegalStateException if this processor lacks it
   */
  public void select() {
    try {
      CpuLibrary.check((int) SELECT.invokeExact(ordinal()), "selecting " + this);
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }
}
