// A small thread pool. The caller takes part; workers spin for some microseconds, then park.
//
// Chunks are claimed by compare-and-swap on one ticket word: generation in the high half, chunks not yet
// claimed in the low half. A ticket with unclaimed chunks proves that its job is still running, so a
// worker that wakes late can never touch a job that is over. The caller waits for chunks, not for
// workers: a worker that the machine does not schedule delays nobody.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "l4m.h"
#include "rows.h"

#define MAX_THREADS 1024
#define SPINS 1500
// Below this many multiply-adds a job is not worth a wake-up.
#define MIN_PARALLEL_COST 60000.0

typedef struct {
    void *data;
    size_t bytes;
} buffer;

typedef struct {
    l4m_pool *pool;
    pthread_t thread;
    int index;
} worker;

struct l4m_pool {
    _Alignas(64) _Atomic uint64_t ticket;
    _Atomic(l4m_task) task;
    _Atomic(void *) context;
    _Atomic int64_t chunks;
    _Alignas(64) _Atomic int64_t done;
    _Alignas(64) _Atomic int parked;
    _Atomic int caller_parked;
    _Atomic int stop;
    pthread_mutex_t caller_lock;
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_cond_t finished;
    int threads;
    worker *workers;
    buffer *scratch;
    buffer shared;
};

static inline void cpu_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("" ::: "memory");
#endif
}

static int has_work(l4m_pool *p) { return (uint32_t)atomic_load(&p->ticket) != 0; }

// Runs chunks until none is left to claim.
static void work_on(l4m_pool *p, int thread) {
    uint64_t ticket = atomic_load(&p->ticket);
    while ((uint32_t)ticket != 0) {
        l4m_task task = atomic_load(&p->task);
        void *context = atomic_load(&p->context);
        int64_t chunks = atomic_load(&p->chunks);
        if (!atomic_compare_exchange_weak(&p->ticket, &ticket, ticket - 1)) continue;
        task(context, chunks - (int64_t)(uint32_t)ticket, thread);
        if (atomic_fetch_add(&p->done, 1) + 1 == chunks && atomic_load(&p->caller_parked)) {
            pthread_mutex_lock(&p->lock);
            pthread_cond_signal(&p->finished);
            pthread_mutex_unlock(&p->lock);
        }
        ticket = atomic_load(&p->ticket);
    }
}

static void *worker_main(void *argument) {
    worker *self = argument;
    l4m_pool *p = self->pool;
    while (!atomic_load(&p->stop)) {
        int spins = 0;
        while (!has_work(p) && spins < SPINS && !atomic_load(&p->stop)) {
            cpu_relax();
            spins++;
        }
        if (!has_work(p)) {
            pthread_mutex_lock(&p->lock);
            atomic_fetch_add(&p->parked, 1);
            while (!has_work(p) && !atomic_load(&p->stop)) pthread_cond_wait(&p->work, &p->lock);
            atomic_fetch_sub(&p->parked, 1);
            pthread_mutex_unlock(&p->lock);
        }
        work_on(p, self->index);
    }
    return NULL;
}

static void free_pool(l4m_pool *p) {
    for (int i = 0; p->scratch != NULL && i < p->threads; i++) free(p->scratch[i].data);
    free(p->shared.data);
    free(p->scratch);
    free(p->workers);
    pthread_mutex_destroy(&p->caller_lock);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->finished);
    free(p);
}

static void stop_workers(l4m_pool *p, int started) {
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stop, 1);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < started; i++) pthread_join(p->workers[i].thread, NULL);
}

int l4m_pool_create(int32_t threads, l4m_pool **out) {
    if (threads < 1 || threads > MAX_THREADS || out == NULL) return L4M_BAD_ARGUMENT;
    l4m_pool *p = aligned_alloc(64, l4m_round_up(sizeof(l4m_pool), 64));
    if (p == NULL) return L4M_OUT_OF_MEMORY;
    memset(p, 0, sizeof *p);
    p->threads = threads;
    pthread_mutex_init(&p->caller_lock, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->finished, NULL);
    p->scratch = calloc(threads, sizeof(buffer));
    p->workers = calloc(threads, sizeof(worker));
    if (p->scratch == NULL || p->workers == NULL) {
        free_pool(p);
        return L4M_OUT_OF_MEMORY;
    }
    for (int i = 0; i < threads - 1; i++) {
        p->workers[i].pool = p;
        p->workers[i].index = i + 1;
        if (pthread_create(&p->workers[i].thread, NULL, worker_main, &p->workers[i]) != 0) {
            stop_workers(p, i);
            free_pool(p);
            return L4M_NO_THREAD;
        }
    }
    *out = p;
    return L4M_OK;
}

int l4m_pool_destroy(l4m_pool *pool) {
    if (pool == NULL) return L4M_BAD_ARGUMENT;
    pthread_mutex_lock(&pool->caller_lock);
    pthread_mutex_unlock(&pool->caller_lock);
    stop_workers(pool, pool->threads - 1);
    free_pool(pool);
    return L4M_OK;
}

static int grow(buffer *b, size_t bytes) {
    if (bytes <= b->bytes && b->data != NULL) return L4M_OK;
    free(b->data);
    b->bytes = 0;
    b->data = aligned_alloc(64, l4m_round_up(l4m_max(bytes, 64), 64));
    if (b->data == NULL) return L4M_OUT_OF_MEMORY;
    b->bytes = bytes;
    return L4M_OK;
}

int l4m_pool_begin(l4m_pool *p, size_t bytes_per_thread, size_t shared_bytes) {
    if (p == NULL) return L4M_BAD_ARGUMENT;
    pthread_mutex_lock(&p->caller_lock);
    int code = grow(&p->shared, shared_bytes);
    for (int i = 0; i < p->threads && code == L4M_OK; i++) code = grow(&p->scratch[i], bytes_per_thread);
    if (code != L4M_OK) pthread_mutex_unlock(&p->caller_lock);
    return code;
}

void l4m_pool_end(l4m_pool *p) { pthread_mutex_unlock(&p->caller_lock); }

void l4m_pool_run(l4m_pool *p, int64_t chunks, l4m_task task, void *context) {
    if (chunks <= 1 || p->threads == 1) {
        for (int64_t i = 0; i < chunks; i++) task(context, i, 0);
        return;
    }
    atomic_store(&p->task, task);
    atomic_store(&p->context, context);
    atomic_store(&p->chunks, chunks);
    atomic_store(&p->done, 0);
    uint64_t generation = (atomic_load(&p->ticket) >> 32) + 1;
    atomic_store(&p->ticket, generation << 32 | (uint64_t)chunks);
    if (atomic_load(&p->parked) > 0) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->work);
        pthread_mutex_unlock(&p->lock);
    }
    work_on(p, 0);
    for (int i = 0; i < SPINS && atomic_load(&p->done) < chunks; i++) cpu_relax();
    if (atomic_load(&p->done) < chunks) {
        pthread_mutex_lock(&p->lock);
        atomic_store(&p->caller_parked, 1);
        while (atomic_load(&p->done) < chunks) pthread_cond_wait(&p->finished, &p->lock);
        atomic_store(&p->caller_parked, 0);
        pthread_mutex_unlock(&p->lock);
    }
}

int l4m_pool_threads(const l4m_pool *p) { return p->threads; }
void *l4m_pool_scratch(l4m_pool *p, int thread) { return p->scratch[thread].data; }
void *l4m_pool_shared(l4m_pool *p) { return p->shared.data; }

int64_t l4m_chunks(const l4m_pool *p, int64_t items, double cost) {
    double total = (double)items * cost;
    if (p->threads == 1 || total < MIN_PARALLEL_COST || items <= 1) return items > 0 ? 1 : 0;
    return l4m_min(items, l4m_min(4 * (int64_t)p->threads, (int64_t)(total / (MIN_PARALLEL_COST / 4))));
}

typedef struct {
    l4m_range range;
    const void *context;
    int64_t items, chunks;
} ranges_job;

static void ranges_chunk(void *context, int64_t chunk, int thread) {
    (void)thread;
    const ranges_job *w = context;
    w->range(w->context, l4m_chunk_start(w->items, w->chunks, chunk), l4m_chunk_start(w->items, w->chunks, chunk + 1));
}

int l4m_ranges(l4m_pool *p, int64_t items, double cost, l4m_range range, const void *context) {
    if (items == 0) return L4M_OK;
    int code = l4m_pool_begin(p, 0, 0);
    if (code != L4M_OK) return code;
    ranges_job w = {range, context, items, l4m_chunks(p, items, cost)};
    l4m_pool_run(p, w.chunks, ranges_chunk, &w);
    l4m_pool_end(p);
    return L4M_OK;
}
