package org.llm4msr.bench.peers;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A network in ONNX Runtime, one thread, and requests to it that are ready to run. */
final class OnnxRequests implements AutoCloseable {
  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;
  private final List<Map<String, OnnxTensor>> requests = new ArrayList<>();

  OnnxRequests(OnnxModel model) throws OrtException {
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(1);
      options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
      session = environment.createSession(model.bytes(), options);
    }
  }

  /** Of the peer. */
  String name() {
    return "ONNX Runtime " + environment.getVersion();
  }

  /** One more request; its tensors are closed with this. */
  void add(Map<String, OnnxTensor> inputs) {
    requests.add(inputs);
  }

  /** The one result of a request. */
  float[] score(int request) {
    try (OrtSession.Result result = session.run(requests.get(request))) {
      FloatBuffer buffer = ((OnnxTensor) result.get(0)).getFloatBuffer();
      float[] elements = new float[buffer.remaining()];
      buffer.get(elements);
      return elements;
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The same without reading the result. */
  void run(int request) {
    try (OrtSession.Result result = session.run(requests.get(request))) {
      result.get(0);
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    requests.forEach(inputs -> inputs.values().forEach(OnnxTensor::close));
    try {
      session.close();
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }
}
