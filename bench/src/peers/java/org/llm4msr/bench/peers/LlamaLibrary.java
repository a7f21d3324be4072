package org.llm4msr.bench.peers;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BOOLEAN;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import org.llm4msr.runtime.UserError;

/**
 * The C functions of llama.cpp as the jar of {@code de.kherud:llama:4.2.0} brings them: its Java
 * methods take text only and one prompt a call. That library is built for AVX2. {@code
 * LLAMA_LIBRARY} in the environment names another one, of one of the versions known here, such as
 * the one in the npm package {@code @node-llama-cpp/linux-x64}, which has AVX-512.
 */
final class LlamaLibrary {
  private static final String RESOURCE = "/de/kherud/llama/Linux/x86_64/libjllama.so";

  /**
   * How a version lays out its parameters, which are passed by value, in bytes.
   *
   * @param modelBytes of {@code llama_model_params}, which stay at their defaults
   * @param contextBytes of {@code llama_context_params}
   * @param threads where n_threads is in them, followed by n_threads_batch
   * @param pooling where pooling_type is
   * @param embeddings where embeddings is
   * @param clears the function that forgets what came before
   */
  private enum Version {
    /** March 2025, {@code de.kherud:llama} 4.2.0. */
    B4916(64, 120, 16, 28, 97, "llama_kv_self_clear"),
    /** v0.5.0, {@code node-llama-cpp} 3.22.1. */
    V0_5_0(80, 160, 28, 44, 128, "llama_memory_clear");

    private final StructLayout model;
    private final StructLayout context;
    private final long threads;
    private final long pooling;
    private final long embeddings;
    private final String clears;

    Version(
        long modelBytes,
        long contextBytes,
        long threads,
        long pooling,
        long embeddings,
        String clears) {
      this.model =
          MemoryLayout.structLayout(MemoryLayout.sequenceLayout(modelBytes / 8, JAVA_LONG));
      this.context =
          MemoryLayout.structLayout(MemoryLayout.sequenceLayout(contextBytes / 8, JAVA_LONG));
      this.threads = threads;
      this.pooling = pooling;
      this.embeddings = embeddings;
      this.clears = clears;
    }
  }

  /** The first four of the context parameters. */
  private static final long TOKENS = 0;

  private static final long BATCH_TOKENS = 4;
  private static final long MICROBATCH_TOKENS = 8;
  private static final long SEQUENCES = 12;

  private static final int DEFAULT_BATCH_TOKENS = 2048;
  private static final int DEFAULT_THREADS = 4;
  private static final int LOG_ERROR = 4;

  /** {@code LLAMA_POOLING_TYPE_LAST}; the older version aborts while it prepares to average. */
  private static final int LAST = 3;

  /** {@code llama_batch}. */
  static final StructLayout BATCH =
      MemoryLayout.structLayout(
          JAVA_INT.withName("n_tokens"),
          MemoryLayout.paddingLayout(4),
          ADDRESS.withName("token"),
          ADDRESS.withName("embd"),
          ADDRESS.withName("pos"),
          ADDRESS.withName("n_seq_id"),
          ADDRESS.withName("seq_id"),
          ADDRESS.withName("logits"));

  private static final SymbolLookup SYMBOLS = open();
  private static final Version VERSION = version();

  private static final MethodHandle MODEL_DEFAULTS =
      function("llama_model_default_params", FunctionDescriptor.of(VERSION.model));
  private static final MethodHandle CONTEXT_DEFAULTS =
      function("llama_context_default_params", FunctionDescriptor.of(VERSION.context));
  private static final MethodHandle LOAD =
      function(
          "llama_model_load_from_file", FunctionDescriptor.of(ADDRESS, ADDRESS, VERSION.model));
  private static final MethodHandle FREE_MODEL =
      function("llama_model_free", FunctionDescriptor.ofVoid(ADDRESS));
  private static final MethodHandle WIDTH =
      function("llama_model_n_embd", FunctionDescriptor.of(JAVA_INT, ADDRESS));
  private static final MethodHandle CONTEXT =
      function("llama_init_from_model", FunctionDescriptor.of(ADDRESS, ADDRESS, VERSION.context));
  private static final MethodHandle FREE_CONTEXT =
      function("llama_free", FunctionDescriptor.ofVoid(ADDRESS));
  private static final MethodHandle CLEAR_CONTEXT =
      VERSION == Version.B4916
          ? function(VERSION.clears, FunctionDescriptor.ofVoid(ADDRESS))
          : null;
  private static final MethodHandle MEMORY =
      VERSION == Version.B4916
          ? null
          : function("llama_get_memory", FunctionDescriptor.of(ADDRESS, ADDRESS));
  private static final MethodHandle CLEAR_MEMORY =
      VERSION == Version.B4916
          ? null
          : function(VERSION.clears, FunctionDescriptor.ofVoid(ADDRESS, JAVA_BOOLEAN));
  private static final MethodHandle DECODE =
      function("llama_decode", FunctionDescriptor.of(JAVA_INT, ADDRESS, BATCH));
  private static final MethodHandle STATE =
      function("llama_get_embeddings_ith", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT));
  private static final MethodHandle POOLED =
      function("llama_get_embeddings_seq", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT));
  private static final MethodHandle SYSTEM =
      function("llama_print_system_info", FunctionDescriptor.of(ADDRESS));
  private static final MethodHandle SET_EMBEDDINGS =
      function("llama_set_embeddings", FunctionDescriptor.ofVoid(ADDRESS, JAVA_BOOLEAN));

  static {
    logErrorsOnly();
    if (VERSION == Version.V0_5_0) {
      loadBackends();
    }
  }

  private LlamaLibrary() {}

  private static SymbolLookup open() {
    String path = System.getenv("LLAMA_LIBRARY");
    try {
      if (path != null) {
        return SymbolLookup.libraryLookup(Path.of(path).toAbsolutePath(), Arena.global());
      }
      Path copy = Files.createTempFile("libjllama", ".so");
      try (InputStream library = LlamaLibrary.class.getResourceAsStream(RESOURCE)) {
        if (library == null) {
          throw new UserError("the class path lacks " + RESOURCE + ": build with -Ppeers");
        }
        Files.copy(library, copy, StandardCopyOption.REPLACE_EXISTING);
        return SymbolLookup.libraryLookup(copy, Arena.global());
      } finally {
        Files.delete(copy);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (IllegalArgumentException e) {
      throw new UserError("cannot load " + path + ": " + e.getMessage());
    }
  }

  private static Version version() {
    return Arrays.stream(Version.values())
        .filter(version -> SYMBOLS.find(version.clears).isPresent())
        .findFirst()
        .orElseThrow(LlamaLibrary::unknownVersion);
  }

  private static UserError unknownVersion() {
    return new UserError(
        "LLAMA_LIBRARY is of a version of llama.cpp that is not known here: take the library of"
            + " de.kherud:llama 4.2.0 or of the npm package @node-llama-cpp/linux-x64 3.22.1");
  }

  /** Its kernels are libraries of their own, the best of which for this processor is chosen. */
  private static void loadBackends() {
    MethodHandle load =
        function("ggml_backend_load_all_from_path", FunctionDescriptor.ofVoid(ADDRESS));
    Path directory = Path.of(System.getenv("LLAMA_LIBRARY")).toAbsolutePath().getParent();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment path = arena.allocateFrom(directory.toString());
      call(() -> {
        load.invokeExact(path);
        return null;
      });
    }
  }

  private static void logErrorsOnly() {
    MethodHandle set = function("llama_log_set", FunctionDescriptor.ofVoid(ADDRESS, ADDRESS));
    call(() -> {
      FunctionDescriptor type = FunctionDescriptor.ofVoid(JAVA_INT, ADDRESS, ADDRESS);
      MethodHandle log =
          MethodHandles.lookup().findStatic(LlamaLibrary.class, "log", type.toMethodType());
      MemorySegment stub = Linker.nativeLinker().upcallStub(log, type, Arena.global());
      set.invokeExact(stub, MemorySegment.NULL);
      return null;
    });
  }

  private static void log(int level, MemorySegment text, MemorySegment ignored) {
    if (level == LOG_ERROR) {
      System.err.print(text.reinterpret(Long.MAX_VALUE).getString(0));
    }
  }

  private static MethodHandle function(String name, FunctionDescriptor type) {
    return SYMBOLS
        .find(name)
        .map(symbol -> Linker.nativeLinker().downcallHandle(symbol, type))
        .orElseThrow(() -> new UserError("the llama.cpp library has no function " + name));
  }

  private interface Call<T> {
    T run() throws Throwable;
  }

  private static <T> T call(Call<T> call) {
    try {
      return call.run();
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  /** Instruction sets and parts that the library was built with. */
  static String systemInfo() {
    MemorySegment text = call(() -> (MemorySegment) SYSTEM.invokeExact());
    return text.reinterpret(Long.MAX_VALUE).getString(0).strip();
  }

  /**
   * Maps a model.
   *
   * @throws UserError if llama.cpp refuses it; its own words are on the standard error
   */
  static MemorySegment load(Path file) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment parameters =
          call(() -> (MemorySegment) MODEL_DEFAULTS.invokeExact((SegmentAllocator) arena));
      MemorySegment name = arena.allocateFrom(file.toString());
      MemorySegment model = call(() -> (MemorySegment) LOAD.invokeExact(name, parameters));
      if (model.equals(MemorySegment.NULL)) {
        throw new UserError("llama.cpp cannot load " + file + ", for the reason above");
      }
      return model;
    }
  }

  static int width(MemorySegment model) {
    return call(() -> (int) WIDTH.invokeExact(model));
  }

  /**
   * Where batches of a size are computed at once.
   *
   * @param tokens of a batch
   * @param sequences of a batch
   * @param pooled whether vectors are had by sequence, otherwise by token
   * @throws UserError if the library is of another version than known here
   */
  static MemorySegment context(
      MemorySegment model, int threads, int tokens, int sequences, boolean pooled) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment parameters =
          call(() -> (MemorySegment) CONTEXT_DEFAULTS.invokeExact((SegmentAllocator) arena));
      if (parameters.get(JAVA_INT, BATCH_TOKENS) != DEFAULT_BATCH_TOKENS
          || parameters.get(JAVA_INT, VERSION.threads) != DEFAULT_THREADS
          || parameters.get(JAVA_INT, VERSION.threads + 4) != DEFAULT_THREADS
          || parameters.get(JAVA_INT, VERSION.pooling) != -1
          || parameters.get(JAVA_BYTE, VERSION.embeddings) != 0) {
        throw unknownVersion();
      }
      parameters.set(JAVA_INT, TOKENS, tokens);
      parameters.set(JAVA_INT, BATCH_TOKENS, tokens);
      parameters.set(JAVA_INT, MICROBATCH_TOKENS, tokens);
      parameters.set(JAVA_INT, SEQUENCES, sequences);
      parameters.set(JAVA_INT, VERSION.threads, threads);
      parameters.set(JAVA_INT, VERSION.threads + 4, threads);
      parameters.set(JAVA_INT, VERSION.pooling, pooled ? LAST : 0);
      parameters.set(JAVA_BYTE, VERSION.embeddings, (byte) 1);
      MemorySegment context = call(() -> (MemorySegment) CONTEXT.invokeExact(model, parameters));
      if (context.equals(MemorySegment.NULL)) {
        throw new UserError("llama.cpp cannot make a context of the model, for the reason above");
      }
      return context;
    }
  }

  /** Computes a batch as if nothing came before it. */
  static void decode(MemorySegment context, MemorySegment batch) {
    call(() -> {
      if (VERSION == Version.B4916) {
        CLEAR_CONTEXT.invokeExact(context);
      } else {
        MemorySegment memory = (MemorySegment) MEMORY.invokeExact(context);
        CLEAR_MEMORY.invokeExact(memory, true);
      }
      return null;
    });
    int code = call(() -> (int) DECODE.invokeExact(context, batch));
    if (code != 0) {
      throw new IllegalStateException("llama_decode returned " + code);
    }
  }

  /** Whether states are to be had, otherwise only what the output head makes of them. */
  static void setEmbeddings(MemorySegment context, boolean wanted) {
    call(() -> {
      SET_EMBEDDINGS.invokeExact(context, wanted);
      return null;
    });
  }

  /** The state at a token of the batch, which it must have been asked for. */
  static MemorySegment state(MemorySegment context, int token, int width) {
    return floats(call(() -> (MemorySegment) STATE.invokeExact(context, token)), width);
  }

  /** The pooled state of a sequence. */
  static MemorySegment pooled(MemorySegment context, int sequence, int width) {
    return floats(call(() -> (MemorySegment) POOLED.invokeExact(context, sequence)), width);
  }

  private static MemorySegment floats(MemorySegment pointer, int width) {
    if (pointer.equals(MemorySegment.NULL)) {
      throw new IllegalStateException("llama.cpp has no vector where one was asked for");
    }
    return pointer.reinterpret((long) width * Float.BYTES);
  }

  static void freeContext(MemorySegment context) {
    call(() -> {
      FREE_CONTEXT.invokeExact(context);
      return null;
    });
  }

  static void freeModel(MemorySegment model) {
    call(() -> {
      FREE_MODEL.invokeExact(model);
      return null;
    });
  }
}
