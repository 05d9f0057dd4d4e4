#include "base/metrics.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEAD_BYTES = 4096,
    SLOT_BYTES = METRICS_CELLS_MAX * 8,
    FILE_BYTES = HEAD_BYTES + METRICS_SLOTS * SLOT_BYTES,
    CELLS_OF_HISTOGRAM = METRIC_BUCKETS + 2, /* the buckets, that of +Inf, the sum */
    MAKE_MS = 200, /* of the wait for another process that makes the file; one that hangs is not waited for */
    LOOK_MS = 5,
};

#define MAGIC UINT64_C(0x7570626561740001) /* "upbeat", and the version of the layout */

static_assert(sizeof(_Atomic uint64_t) == 8 && ATOMIC_LLONG_LOCK_FREE == 2, "a cell is 8 bytes without lock");
static_assert(METRICS_SLOTS % 64 == 0, "every slot has its bit");
static_assert(SLOT_BYTES % 4096 == 0, "slots are whole pages");

typedef _Atomic uint64_t cell;

/* The first page of the file. */
struct head {
    _Atomic uint64_t magic; /* written last: 0 means that the file is not made yet */
    uint64_t fingerprint;
    _Atomic uint64_t used[METRICS_SLOTS / 64]; /* a bit for each slot that was held at some time */
};

static cell own_cells[METRICS_CELLS_MAX]; /* of a process that shares no memory */

static struct {
    cell *cells;  /* the slot of this process; NULL before the first count */
    char *memory; /* the file as mapped, or NULL */
    int fd;
    unsigned slot;
    enum metric_program program;
    unsigned first[METRICS + 1]; /* the first cell of each metric */
} shared = {.fd = -1};

/* --- Cells ------------------------------------------------------------------------------------------------
 */

static unsigned cells_of(enum metric metric)
{
    const struct metric_family *family = metric_family(metric);
    unsigned each = family->kind == METRIC_HISTOGRAM ? CELLS_OF_HISTOGRAM : 1;
    return each * metric_series_count(family);
}

static void number_cells(void)
{
    unsigned next = 0;
    for (unsigned metric = 0; metric < METRICS; metric++) {
        shared.first[metric] = next;
        next += cells_of((enum metric)metric);
    }
    assert(next <= METRICS_CELLS_MAX);
    shared.first[METRICS] = next;
    if (!shared.cells)
        shared.cells = own_cells;
}

size_t metrics_cells(void)
{
    if (!shared.cells)
        number_cells();
    return shared.first[METRICS];
}

/* Only this process writes to its slot, so nothing is lost between the load and the store. */
static void add(unsigned at, uint64_t n)
{
    cell *one = &shared.cells[at];
    atomic_store_explicit(one, atomic_load_explicit(one, memory_order_relaxed) + n, memory_order_relaxed);
}

void metrics_count(enum metric metric, unsigned series, uint64_t n)
{
    if (!shared.cells)
        number_cells();
    add(shared.first[metric] + series, n);
}

void metrics_set(enum metric metric, unsigned series, uint64_t value)
{
    if (!shared.cells)
        number_cells();
    atomic_store_explicit(&shared.cells[shared.first[metric] + series], value, memory_order_relaxed);
}

void metrics_observe(enum metric metric, unsigned series, int64_t took_us)
{
    unsigned bucket = 0;
    if (!shared.cells)
        number_cells();
    unsigned first = shared.first[metric] + series * CELLS_OF_HISTOGRAM;
    while (bucket < METRIC_BUCKETS && took_us > (int64_t)metric_buckets_us[bucket])
        bucket++;
    add(first + bucket, 1);
    add(first + METRIC_BUCKETS + 1, took_us > 0 ? (uint64_t)took_us : 0);
}

enum metric_program metrics_program(void)
{
    return shared.program;
}

/* --- The file ---------------------------------------------------------------------------------------------
 */

static uint64_t make_fingerprint(void)
{
    const int layout[] = {METRICS_SLOTS, METRICS_CELLS_MAX, HEAD_BYTES, METRIC_BUCKETS};
    uint64_t hash = hash_bytes(HASH_START, layout, sizeof layout);
    hash = hash_bytes(hash, metric_buckets_us, sizeof metric_buckets_us);
    for (unsigned metric = 0; metric < METRICS; metric++) {
        const struct metric_family *family = metric_family((enum metric)metric);
        hash = hash_text(hash, family->name);
        hash = hash_bytes(hash, &family->kind, sizeof family->kind);
        for (unsigned i = 0; i < METRIC_LABELS_MAX && family->labels[i].name; i++) {
            hash = hash_text(hash, family->labels[i].name);
            for (unsigned value = 0; value < family->labels[i].count; value++)
                hash = hash_text(hash, family->labels[i].values[value]);
        }
    }
    return hash;
}

/* Byte 0 of the file is locked while it is made, byte 1 + n by the owner of slot n. */
static bool lock_byte(int fd, unsigned byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static void unlock_byte(int fd, unsigned byte)
{
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    (void)fcntl(fd, F_OFD_SETLK, &lock);
}

/* Whether a process other than this one holds the slot. */
static bool is_held(unsigned slot)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1 + slot, .l_len = 1};
    return fcntl(shared.fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static int open_file(const char *run_dir, uint64_t fingerprint)
{
    char path[PATH_MAX];
    struct stat folder;
    int len = snprintf(path, sizeof path, "%s/metrics", run_dir);
    if (len < 0 || (size_t)len > sizeof path - sizeof "/0123456789abcdef") {
        errno = ENAMETOOLONG;
        return -1;
    }
    if ((mkdir(path, 0770) != 0 && errno != EEXIST) || stat(path, &folder) != 0)
        return -1;
    snprintf(path + len, sizeof path - (size_t)len, "/%016" PRIx64, fingerprint);
    /* It has its mode from the first moment on: another user's process may open it in the next one. */
    mode_t mode = folder.st_mode & S_IRWXO ? 0660 : 0666;
    mode_t was = umask(0);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
    (void)umask(was);
    struct stat file;
    if (fd >= 0 && fstat(fd, &file) == 0 && file.st_uid == geteuid())
        (void)fchmod(fd, mode); /* the folder's may have been another one when the file was made */
    return fd;
}

/* Space is taken now, since a write to a mapped page for which the disk has none would end the process. */
static enum status make_file(int fd, uint64_t fingerprint)
{
    struct stat file;
    struct head *head = MAP_FAILED;
    if (fstat(fd, &file) != 0)
        return STATUS_FAILED;
    if (file.st_size == 0 && ftruncate(fd, FILE_BYTES) != 0)
        return STATUS_FAILED;
    if (file.st_size != 0 && file.st_size != FILE_BYTES) {
        errno = EINVAL;
        return STATUS_INVALID;
    }
    errno = posix_fallocate(fd, 0, HEAD_BYTES);
    if (errno == 0)
        head = mmap(NULL, HEAD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (head == MAP_FAILED)
        return STATUS_FAILED;
    if (atomic_load(&head->magic) == 0) {
        head->fingerprint = fingerprint;
        atomic_store(&head->magic, MAGIC);
    }
    bool is_ours = atomic_load(&head->magic) == MAGIC && head->fingerprint == fingerprint;
    munmap(head, HEAD_BYTES);
    errno = is_ours ? 0 : EINVAL;
    return is_ours ? STATUS_OK : STATUS_INVALID;
}

static enum status make_file_alone(int fd, uint64_t fingerprint)
{
    struct deadline until = deadline_in(MAKE_MS);
    while (!lock_byte(fd, 0)) {
        if (deadline_left_ms(until) == 0)
            return STATUS_TIMEOUT;
        deadline_sleep(until, LOOK_MS);
    }
    enum status result = make_file(fd, fingerprint);
    int why = errno;
    unlock_byte(fd, 0);
    errno = why;
    return result;
}

/* --- The slot ---------------------------------------------------------------------------------------------
 */

static struct head *head_of(void)
{
    return (struct head *)(void *)shared.memory;
}

static cell *slot_cells(unsigned slot)
{
    return (cell *)(void *)(shared.memory + HEAD_BYTES + (size_t)slot * SLOT_BYTES);
}

static void clear_gauges(void)
{
    for (unsigned metric = 0; metric < METRICS; metric++) {
        const struct metric_family *family = metric_family((enum metric)metric);
        for (unsigned i = 0; family->kind == METRIC_GAUGE && i < metric_series_count(family); i++)
            metrics_set((enum metric)metric, i, 0);
    }
}

/* The slot counts as used before anything is counted in it: a process that is killed in between has counted
 * nothing. */
static enum status take_slot(void)
{
    unsigned slot = 0;
    while (slot < METRICS_SLOTS && !lock_byte(shared.fd, 1 + slot))
        slot++;
    if (slot == METRICS_SLOTS)
        return STATUS_TOO_LARGE;
    errno = posix_fallocate(shared.fd, HEAD_BYTES + (off_t)slot * SLOT_BYTES, SLOT_BYTES);
    if (errno != 0)
        return STATUS_FAILED;
    atomic_fetch_or(&head_of()->used[slot / 64], UINT64_C(1) << slot % 64);
    shared.slot = slot;
    shared.cells = slot_cells(slot);
    clear_gauges();
    return STATUS_OK;
}

static enum status open_shared(const char *run_dir)
{
    uint64_t fingerprint = make_fingerprint();
    shared.fd = open_file(run_dir, fingerprint);
    if (shared.fd < 0)
        return STATUS_FAILED;
    enum status result = make_file_alone(shared.fd, fingerprint);
    if (result != STATUS_OK)
        return result;
    void *memory = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, shared.fd, 0);
    if (memory == MAP_FAILED)
        return STATUS_NO_MEMORY;
    shared.memory = memory;
    return take_slot();
}

void metrics_close(void)
{
    shared.cells = own_cells;
    if (shared.memory)
        munmap(shared.memory, FILE_BYTES);
    if (shared.fd >= 0)
        close(shared.fd); /* which releases the lock */
    shared.memory = NULL;
    shared.fd = -1;
}

void metrics_open(const char *run_dir, enum metric_program program)
{
    number_cells();
    shared.program = program;
    errno = 0;
    enum status result = open_shared(run_dir);
    if (result != STATUS_OK) {
        log_line(LEVEL_WARNING, "metrics", "this process counts for itself alone: %s/metrics: %s", run_dir,
                 result == STATUS_TOO_LARGE ? "all slots are taken"
                 : errno != 0               ? strerror(errno)
                                            : status_text(result));
        metrics_close();
    }
    metrics_set(METRIC_PROCESSES, program, 1);
    metrics_count(METRIC_PROCESS_STARTS, program, 1);
}

/* --- The sum ----------------------------------------------------------------------------------------------
 */

static void add_slot(const cell *cells, bool is_alive, struct metrics_sum *sum)
{
    for (unsigned metric = 0; metric < METRICS; metric++) {
        if (!is_alive && metric_family((enum metric)metric)->kind == METRIC_GAUGE)
            continue;
        for (unsigned i = shared.first[metric]; i < shared.first[metric + 1]; i++)
            sum->cells[i] += atomic_load_explicit(&cells[i], memory_order_relaxed);
    }
}

void metrics_add_up(struct metrics_sum *sum_r)
{
    (void)metrics_cells();
    *sum_r = (struct metrics_sum){{0}};
    if (!shared.memory) {
        add_slot(shared.cells, true, sum_r);
        return;
    }
    for (unsigned slot = 0; slot < METRICS_SLOTS; slot++) {
        if (atomic_load(&head_of()->used[slot / 64]) >> slot % 64 & 1)
            add_slot(slot_cells(slot), slot == shared.slot || is_held(slot), sum_r);
    }
}

uint64_t metrics_value(const struct metrics_sum *sum, enum metric metric, unsigned series)
{
    return sum->cells[shared.first[metric] + series];
}

uint64_t metrics_bucket(const struct metrics_sum *sum, enum metric metric, unsigned series, unsigned bucket)
{
    return sum->cells[shared.first[metric] + series * CELLS_OF_HISTOGRAM + bucket];
}

uint64_t metrics_total_us(const struct metrics_sum *sum, enum metric metric, unsigned series)
{
    return metrics_bucket(sum, metric, series, METRIC_BUCKETS + 1);
}
