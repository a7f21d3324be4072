// Devices, contexts, streams, events, graphs, the names of errors, and what tests set and ask.
#include "standin.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>

Settings settings;
Counts counts;
std::recursive_mutex lock;
CUresult lost;

namespace {
struct Context {
    int users = 0;
};
struct Event {
    Stream *stream = nullptr;
    bool done = true;
};

std::vector<std::string> violations;
std::map<int, Context> contexts;
thread_local Context *current;
thread_local Stream *capturing;
std::set<Stream *> streams;
std::set<Event *> events;
std::set<Graph *> graphs;
std::set<Graph *> executables;

Context *in_use(Context *context) {
    for (auto &entry : contexts)
        if (&entry.second == context && context->users > 0) return context;
    return nullptr;
}

// Not everything that a driver answers, but all that this one does.
const struct {
    int code;
    const char *name, *text;
} errors[] = {
    {SUCCESS, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"},
};

template <class T>
bool take(std::set<T *> &set, T *element) {
    if (set.erase(element) == 0) return false;
    delete element;
    return true;
}
}  // namespace

CUresult violation(CUresult code, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (violations.size() < 100) violations.push_back(text);
    return code;
}

CUresult need_context(const char *function) {
    return in_use(current) ? SUCCESS : violation(INVALID_CONTEXT, "%s: this thread has no context", function);
}

bool is_stream(const Stream *stream) { return streams.count(const_cast<Stream *>(stream)) != 0; }

CUresult issue(Stream *stream, Work work) {
    if (!is_stream(stream)) return violation(INVALID_HANDLE, "work for no stream, or one that was destroyed");
    if (stream->capturing) stream->capturing->work.push_back(std::move(work));
    else stream->waiting.push_back(std::move(work));
    return SUCCESS;
}

CUresult drain(Stream *stream) {
    while (!stream->waiting.empty()) {
        if (lost) return lost;
        Work work = std::move(stream->waiting.front());
        stream->waiting.pop_front();
        if (CUresult code = work()) return code;
    }
    return lost;
}

CUresult drain_all() {
    for (Stream *stream : streams)
        if (CUresult code = drain(stream)) return code;
    return SUCCESS;
}

CUresult not_capturing(const char *function) {
    if (!capturing) return SUCCESS;
    capturing->invalidated = true;
    return violation(CAPTURE_UNSUPPORTED, "%s while a stream is captured", function);
}

API cuGetErrorName(int code, const char **name) {
    for (auto &error : errors)
        if (error.code == code) return *name = error.name, SUCCESS;
    return *name = nullptr, INVALID_VALUE;
}

API cuGetErrorString(int code, const char **text) {
    for (auto &error : errors)
        if (error.code == code) return *text = error.text, SUCCESS;
    return *text = nullptr, INVALID_VALUE;
}

API cuInit(unsigned) { return settings.devices == 0 ? NO_DEVICE : SUCCESS; }
API cuDriverGetVersion(int *version) { return *version = (int)settings.driver, SUCCESS; }
API cuDeviceGetCount(int *count) { return *count = (int)settings.devices, SUCCESS; }
API cuDeviceGet(int *device, int ordinal) {
    return ordinal < 0 || ordinal >= settings.devices ? INVALID_DEVICE : (*device = ordinal, SUCCESS);
}
API cuDeviceGetName(char *name, int bytes, int) { return snprintf(name, bytes, "stand-in GPU"), SUCCESS; }
API cuDeviceTotalMem_v2(size_t *bytes, int) { return *bytes = settings.memory, SUCCESS; }
API cuDeviceGetAttribute(int *value, int attribute, int) {
    switch (attribute) {
        case 16: *value = (int)settings.multiprocessors; return SUCCESS;
        case 20: *value = settings.prohibited ? 2 : 0; return SUCCESS;
        case 75: *value = (int)settings.capability / 10; return SUCCESS;
        case 76: *value = (int)settings.capability % 10; return SUCCESS;
        default: return violation(INVALID_VALUE, "cuDeviceGetAttribute of %d", attribute);
    }
}

API cuDevicePrimaryCtxRetain(Context **context, int device) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (lost) return lost;
    *context = &contexts[device];
    (*context)->users++;
    return SUCCESS;
}

API cuDevicePrimaryCtxRelease_v2(int device) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (contexts[device].users == 0) return violation(INVALID_CONTEXT, "cuDevicePrimaryCtxRelease: released too often");
    contexts[device].users--;
    return lost;
}

API cuCtxSetCurrent(Context *context) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (context && !in_use(context)) return violation(INVALID_CONTEXT, "cuCtxSetCurrent: no context");
    current = context;
    return lost;
}

API cuStreamCreate(Stream **stream, unsigned) {
    ENTER();
    streams.insert(*stream = new Stream);
    return SUCCESS;
}

API cuStreamDestroy_v2(Stream *stream) {
    ENTER();
    if (!is_stream(stream)) return violation(INVALID_HANDLE, "cuStreamDestroy: no stream, or destroyed twice");
    if (CUresult code = drain(stream)) return code;
    take(streams, stream);
    return SUCCESS;
}

API cuStreamSynchronize(Stream *stream) {
    ENTER();
    if (!is_stream(stream)) return violation(INVALID_HANDLE, "cuStreamSynchronize: no stream");
    if (CUresult code = not_capturing("cuStreamSynchronize")) return code;
    return drain(stream);
}

API cuEventCreate(Event **event, unsigned) {
    ENTER();
    events.insert(*event = new Event);
    return SUCCESS;
}

API cuEventDestroy_v2(Event *event) {
    ENTER();
    // What is still to be marked must not mark a ghost.
    if (CUresult code = drain_all()) return code;
    return take(events, event) ? SUCCESS : violation(INVALID_HANDLE, "cuEventDestroy: no event, or destroyed twice");
}

API cuEventRecord(Event *event, Stream *stream) {
    ENTER();
    if (!events.count(event)) return violation(INVALID_HANDLE, "cuEventRecord: no event");
    event->stream = stream;
    event->done = false;
    return issue(stream, [event] { return event->done = true, (CUresult)SUCCESS; });
}

API cuEventSynchronize(Event *event) {
    ENTER();
    if (!events.count(event)) return violation(INVALID_HANDLE, "cuEventSynchronize: no event");
    if (CUresult code = not_capturing("cuEventSynchronize")) return code;
    // Only as far as the mark: whoever relies on more finds that it has not run.
    while (!event->done && !event->stream->waiting.empty()) {
        Work work = std::move(event->stream->waiting.front());
        event->stream->waiting.pop_front();
        if (CUresult code = work()) return code;
    }
    return lost;
}

API cuStreamBeginCapture_v2(Stream *stream, int) {
    ENTER();
    if (!is_stream(stream) || stream->capturing || capturing)
        return violation(INVALID_HANDLE, "cuStreamBeginCapture: no stream, or one that is captured");
    stream->capturing = new Graph;
    stream->invalidated = false;
    capturing = stream;
    return SUCCESS;
}

API cuStreamEndCapture(Stream *stream, Graph **graph) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (!is_stream(stream) || !stream->capturing) return violation(INVALID_HANDLE, "cuStreamEndCapture: nothing is captured");
    *graph = stream->capturing;
    stream->capturing = nullptr;
    capturing = nullptr;
    if (stream->invalidated) {
        delete *graph;
        *graph = nullptr;
        return CAPTURE_INVALIDATED;
    }
    counts.captures++;
    graphs.insert(*graph);
    return lost;
}

API cuGraphInstantiateWithFlags(Graph **executable, Graph *graph, unsigned long long) {
    ENTER();
    if (!graphs.count(graph)) return violation(INVALID_HANDLE, "cuGraphInstantiate: no graph");
    executables.insert(*executable = new Graph(*graph));
    return SUCCESS;
}

API cuGraphDestroy(Graph *graph) {
    ENTER();
    return take(graphs, graph) ? SUCCESS : violation(INVALID_HANDLE, "cuGraphDestroy: no graph, or destroyed twice");
}

API cuGraphExecDestroy(Graph *executable) {
    ENTER();
    return take(executables, executable) ? SUCCESS
                                         : violation(INVALID_HANDLE, "cuGraphExecDestroy: no graph, or destroyed twice");
}

API cuGraphLaunch(Graph *executable, Stream *stream) {
    ENTER();
    if (!executables.count(executable)) return violation(INVALID_HANDLE, "cuGraphLaunch: no graph, or destroyed");
    counts.graph_launches++;
    for (Work &work : executable->work)
        if (CUresult code = issue(stream, work)) return code;
    return SUCCESS;
}

// What tests set and ask; a kernel's name asks for its launches. Names that are unknown give -1.
extern "C" __attribute__((visibility("default"))) long standin_set(const char *name, long value) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    const std::map<std::string, long *> known = {
        {"driver", &settings.driver},
        {"devices", &settings.devices},
        {"capability", &settings.capability},
        {"memory", &settings.memory},
        {"multiprocessors", &settings.multiprocessors},
        {"prohibited", &settings.prohibited},
        {"fail_allocation", &settings.fail_allocation},
        {"fail_launch", &settings.fail_launch},
        {"fail_code", &settings.fail_code},
        {"refuse_cubin", &settings.refuse_cubin},
    };
    auto at = known.find(name);
    return at == known.end() ? -1 : (*at->second = value, 0);
}

extern "C" __attribute__((visibility("default"))) long standin_count(const char *name) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    const std::map<std::string, long> known = {
        {"allocations", counts.allocations},
        {"launches", counts.launches},
        {"graph_launches", counts.graph_launches},
        {"captures", counts.captures},
    };
    auto at = known.find(name);
    if (at != known.end()) return at->second;
    for (const HostKernel &kernel : host_kernels())
        if (strcmp(kernel.name, name) == 0) return counts.of_kernel[name];
    return -1;
}

// What was done that should not have been and what is open, one line each, into text.
extern "C" __attribute__((visibility("default"))) void standin_report(char *text, long bytes) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    std::string report;
    for (const std::string &one : violations) report += one + "\n";
    if (!lost) {
        std::string open = open_memory() + open_modules();
        if (!streams.empty()) open += std::to_string(streams.size()) + " streams\n";
        if (!events.empty()) open += std::to_string(events.size()) + " events\n";
        if (!graphs.empty()) open += std::to_string(graphs.size()) + " graphs\n";
        if (!executables.empty()) open += std::to_string(executables.size()) + " executable graphs\n";
        if (!open.empty()) report += "left open:\n" + open;
    }
    for (auto &entry : contexts)
        if (entry.second.users != 0) report += "a context is still retained\n";
    snprintf(text, bytes, "%s", report.c_str());
}

// As after loading; what was left open is gone.
extern "C" __attribute__((visibility("default"))) void standin_reset() {
    std::lock_guard<std::recursive_mutex> guard(lock);
    settings = Settings();
    counts = Counts();
    lost = SUCCESS;
    current = nullptr;
    capturing = nullptr;
    for (Stream *stream : streams) {
        delete stream->capturing;
        delete stream;
    }
    streams.clear();
    for (Event *event : events) delete event;
    events.clear();
    for (Graph *graph : graphs) delete graph;
    graphs.clear();
    for (Graph *graph : executables) delete graph;
    executables.clear();
    forget_modules();
    forget_memory();
    for (auto &entry : contexts) entry.second.users = 0;
    violations.clear();
}
