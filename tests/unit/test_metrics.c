#include "unit.h"

#include "base/clock.h"
#include "base/metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char run_dir[] = "/tmp/upbeat-metrics-XXXXXX";

static void remove_all(void)
{
    char path[600];
    char folder[64];
    snprintf(folder, sizeof folder, "%s/metrics", run_dir);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
    unlink(folder);
    rmdir(run_dir);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(run_dir, sizeof run_dir, "/tmp/upbeat-metrics-XXXXXX");
    return mkdtemp(run_dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    metrics_close();
    remove_all();
    return 0;
}

/* The only file in the folder. */
static int open_only_file(char *path, size_t path_bytes)
{
    char folder[64];
    int found = 0;
    snprintf(folder, sizeof folder, "%s/metrics", run_dir);
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, path_bytes, "%s/%s", folder, entry->d_name);
        found++;
    }
    closedir(dir);
    assert_int_equal(found, 1);
    return open(path, O_RDWR);
}

static uint64_t value_of(enum metric metric, unsigned series)
{
    struct metrics_sum sum;
    metrics_add_up(&sum);
    return metrics_value(&sum, metric, series);
}

/* A child with a slot of its own, which counts and is killed: "kill -9" between any two steps. */
static pid_t start_counting(uint64_t n)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    metrics_close();
    metrics_open(run_dir, PROGRAM_FETCHER);
    for (uint64_t i = 0; i < n; i++)
        metrics_count(METRIC_REFRESHES, 3, 1);
    metrics_observe(METRIC_LEASE_WAIT, 0, 3000);
    metrics_set(METRIC_QUEUED, 0, 7);
    pause();
    _exit(0);
}

static void await_value(enum metric metric, unsigned series, uint64_t value)
{
    struct deadline until = deadline_in(20000);
    while (value_of(metric, series) != value && deadline_left_ms(until) > 0)
        deadline_sleep(until, 2);
    assert_int_equal(value_of(metric, series), value);
}

static void kill_and_wait(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_the_cells_fit(void **state)
{
    (void)state;
    assert_true(metrics_cells() <= METRICS_CELLS_MAX);
    for (unsigned metric = 0; metric < METRIC_FAMILIES; metric++) {
        const struct metric_family *family = metric_family((enum metric)metric);
        bool is_total =
            strlen(family->name) > 6 && strcmp(family->name + strlen(family->name) - 6, "_total") == 0;
        assert_non_null(family->name);
        assert_non_null(family->help);
        assert_case(family->name, is_total == (family->kind == METRIC_COUNTER));
        for (unsigned i = 0; metric < METRICS && i < METRIC_LABELS_MAX && family->labels[i].name; i++) {
            for (unsigned value = 0; value < family->labels[i].count; value++)
                assert_case(family->name, family->labels[i].values[value] != NULL);
        }
    }
}

static void test_counting(void **state)
{
    (void)state;
    struct metrics_sum sum;
    unsigned series = metric_request_series(ENDPOINT_TRENDS, 503, FRESHNESS_NONE);
    const struct metric_family *requests = metric_family(METRIC_REQUESTS);
    assert_string_equal(metric_label_value(requests, series, 0), "trends");
    assert_string_equal(metric_label_value(requests, series, 1), "503");
    assert_string_equal(metric_label_value(requests, series, 2), "none");
    assert_string_equal(
        metric_label_value(requests, metric_request_series(ENDPOINT_HOSTS, 299, FRESHNESS_STALE), 1),
        "other");
    assert_true(metric_request_series(ENDPOINTS - 1, 999, FRESHNESSES - 1) < metric_series_count(requests));
    metrics_open(run_dir, PROGRAM_WORKER);
    metrics_count(METRIC_REQUESTS, series, 2);
    metrics_count(METRIC_REQUESTS, series, 3);
    metrics_set(METRIC_WAITING, 0, 9);
    metrics_set(METRIC_WAITING, 0, 4);
    static const int64_t lengths_us[] = {-5, 0, 250, 251, 5000000, 5000001};
    for (size_t i = 0; i < COUNT(lengths_us); i++)
        metrics_observe(METRIC_WAIT_DURATION, WAIT_LOST, lengths_us[i]);
    metrics_add_up(&sum);
    assert_int_equal(metrics_value(&sum, METRIC_REQUESTS, series), 5);
    assert_int_equal(metrics_value(&sum, METRIC_WAITING, 0), 4);
    assert_int_equal(metrics_bucket(&sum, METRIC_WAIT_DURATION, WAIT_LOST, 0), 3);
    assert_int_equal(metrics_bucket(&sum, METRIC_WAIT_DURATION, WAIT_LOST, 1), 1);
    assert_int_equal(metrics_bucket(&sum, METRIC_WAIT_DURATION, WAIT_LOST, METRIC_BUCKETS - 1), 1);
    assert_int_equal(metrics_bucket(&sum, METRIC_WAIT_DURATION, WAIT_LOST, METRIC_BUCKETS), 1);
    assert_int_equal(metrics_total_us(&sum, METRIC_WAIT_DURATION, WAIT_LOST), 250 + 251 + 5000000 + 5000001);
    assert_int_equal(metrics_bucket(&sum, METRIC_WAIT_DURATION, WAIT_GONE, 0), 0);
}

/* What a dead process counted stays, and its successor goes on counting; its gauges end with it. */
static void test_kill_9(void **state)
{
    (void)state;
    metrics_open(run_dir, PROGRAM_WORKER);
    uint64_t counted = 0;
    for (unsigned round = 1; round <= 3; round++) {
        pid_t pids[3];
        for (size_t i = 0; i < COUNT(pids); i++)
            pids[i] = start_counting(100);
        counted += 300;
        await_value(METRIC_QUEUED, 0, 7 * COUNT(pids));
        for (size_t i = 0; i < COUNT(pids); i++)
            kill_and_wait(pids[i]);
        assert_int_equal(value_of(METRIC_REFRESHES, 3), counted);
        assert_int_equal(value_of(METRIC_QUEUED, 0), 0);
        assert_int_equal(value_of(METRIC_PROCESSES, PROGRAM_FETCHER), 0);
        assert_int_equal(value_of(METRIC_PROCESSES, PROGRAM_WORKER), 1);
        assert_int_equal(value_of(METRIC_PROCESS_STARTS, PROGRAM_FETCHER), 3 * round);
    }
}

/* Children that are killed while they open the file and count: the sum never goes back, and the file stays
 * good. */
static void test_kill_9_at_any_instant(void **state)
{
    (void)state;
    uint64_t last = 0;
    metrics_open(run_dir, PROGRAM_WORKER);
    for (int i = 0; i < 40; i++) {
        pid_t pid = start_counting(100000000);
        struct deadline until = deadline_in(i % 8);
        deadline_sleep(until, 1000);
        kill_and_wait(pid);
        uint64_t now = value_of(METRIC_REFRESHES, 3);
        assert_true(now >= last);
        last = now;
    }
    pid_t pid = start_counting(1);
    await_value(METRIC_QUEUED, 0, 7);
    kill_and_wait(pid);
    assert_int_equal(value_of(METRIC_REFRESHES, 3), last + 1);
}

static void count_for_itself(void)
{
    metrics_open(run_dir, PROGRAM_WORKER);
    metrics_count(METRIC_REQUESTS_ABANDONED, 0, 1);
    assert_true(value_of(METRIC_REQUESTS_ABANDONED, 0) >= 1);
    assert_true(value_of(METRIC_PROCESSES, PROGRAM_WORKER) >= 1);
}

static void test_no_folder(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "%s/metrics", run_dir);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    count_for_itself();
}

/* A file under our name that is not ours is left as it is. */
static void test_a_foreign_file(void **state)
{
    (void)state;
    char path[600];
    struct stat file;
    metrics_open(run_dir, PROGRAM_WORKER);
    metrics_close();
    int fd = open_only_file(path, sizeof path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(write(fd, "what is this?", 13), 13);
    count_for_itself();
    assert_int_equal(fstat(fd, &file), 0);
    assert_int_equal(file.st_size, 13);
    close(fd);
}

static void test_another_layout(void **state)
{
    (void)state;
    char path[600];
    metrics_open(run_dir, PROGRAM_WORKER);
    metrics_count(METRIC_REQUESTS_ABANDONED, 0, 5);
    metrics_close();
    int fd = open_only_file(path, sizeof path);
    uint64_t magic = 1;
    assert_int_equal(pwrite(fd, &magic, sizeof magic, 0), sizeof magic);
    close(fd);
    uint64_t before = value_of(METRIC_REQUESTS_ABANDONED, 0);
    count_for_itself();
    assert_int_equal(value_of(METRIC_REQUESTS_ABANDONED, 0), before + 1);
}

/* A process that was killed while it made the file: its size is there, and nothing else. */
static void test_a_file_that_is_half_made(void **state)
{
    (void)state;
    char path[600];
    metrics_open(run_dir, PROGRAM_WORKER);
    metrics_close();
    int fd = open_only_file(path, sizeof path);
    struct stat file;
    assert_int_equal(fstat(fd, &file), 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(ftruncate(fd, file.st_size), 0);
    close(fd);
    metrics_open(run_dir, PROGRAM_WORKER);
    pid_t pid = start_counting(10);
    await_value(METRIC_QUEUED, 0, 7);
    kill_and_wait(pid);
    assert_int_equal(value_of(METRIC_REFRESHES, 3), 10);
}

static void lock_range(int fd, short type, off_t from, off_t len)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = from, .l_len = len};
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
}

static void test_full_slots(void **state)
{
    (void)state;
    char path[600];
    metrics_open(run_dir, PROGRAM_WORKER);
    metrics_close();
    int fd = open_only_file(path, sizeof path);
    lock_range(fd, F_WRLCK, 1, METRICS_SLOTS);
    count_for_itself();
    metrics_close();
    lock_range(fd, F_UNLCK, METRICS_SLOTS, 1); /* the last one is free */
    metrics_open(run_dir, PROGRAM_WORKER);
    metrics_count(METRIC_LOOKUP_ROWS, 0, 3);
    assert_int_equal(value_of(METRIC_LOOKUP_ROWS, 0), 3);
    close(fd);
}

/* Another process that makes the file and hangs is not waited for. */
static void test_a_hanging_maker(void **state)
{
    (void)state;
    char path[600];
    metrics_open(run_dir, PROGRAM_WORKER);
    metrics_close();
    int fd = open_only_file(path, sizeof path);
    lock_range(fd, F_WRLCK, 0, 1);
    struct deadline until = deadline_in(5000);
    count_for_itself();
    assert_true(deadline_left_ms(until) > 0);
    close(fd);
}

static void test_modes(void **state)
{
    (void)state;
    char path[600];
    char folder[64];
    struct stat file;
    static const struct {
        mode_t folder, file;
    } cases[] = {{0770, 0666}, {0755, 0660}};
    snprintf(folder, sizeof folder, "%s/metrics", run_dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(chmod(folder, cases[i].folder), 0);
        metrics_open(run_dir, PROGRAM_WORKER);
        metrics_close();
        int fd = open_only_file(path, sizeof path);
        assert_int_equal(fstat(fd, &file), 0);
        assert_int_equal(file.st_mode & 0777, cases[i].file);
        close(fd);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_cells_fit),
        TEST(test_counting),
        TEST(test_kill_9),
        TEST(test_kill_9_at_any_instant),
        TEST(test_no_folder),
        TEST(test_a_foreign_file),
        TEST(test_another_layout),
        TEST(test_a_file_that_is_half_made),
        TEST(test_full_slots),
        TEST(test_a_hanging_maker),
        TEST(test_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
