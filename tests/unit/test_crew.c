#include "unit.h"

#include "crew.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 4 };

struct fixture {
    char folder[64];
    struct crew crew[WORKERS + 1]; /* one more than there are ranks */
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!fixture)
        return -1;
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/upbeat-crew-XXXXXX");
    if (!mkdtemp(fixture->folder))
        return -1;
    for (size_t i = 0; i < COUNT(fixture->crew); i++) {
        if (crew_join(&fixture->crew[i], fixture->folder, WORKERS) != STATUS_OK)
            return -1;
    }
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"rank", "ready"};
    char path[128];
    for (size_t i = 0; i < COUNT(fixture->crew); i++)
        crew_leave(&fixture->crew[i]);
    for (int i = 0; i < 2 * (WORKERS + 1); i++) {
        snprintf(path, sizeof path, "%s/%s.%d", fixture->folder, names[i % 2], i / 2);
        unlink(path);
    }
    int result = rmdir(fixture->folder);
    free(fixture);
    return result;
}

static void test_ranks_from_the_lowest(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i <= WORKERS; i++)
        assert_int_equal(fixture->crew[i].rank, i);
    crew_leave(&fixture->crew[2]);
    crew_leave(&fixture->crew[1]);
    crew_leave(&fixture->crew[1]); /* twice is once */
    assert_int_equal(crew_join(&fixture->crew[2], fixture->folder, WORKERS), STATUS_OK);
    assert_int_equal(crew_join(&fixture->crew[1], fixture->folder, WORKERS), STATUS_OK);
    assert_int_equal(fixture->crew[2].rank, 1);
    assert_int_equal(fixture->crew[1].rank, 2);
}

/* A process that joins, says that it is ready, and waits to be killed. */
static pid_t start_worker(const char *folder)
{
    int told[2];
    char byte = 0;
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        struct crew crew;
        if (crew_join(&crew, folder, WORKERS) == STATUS_OK) {
            crew_say_ready(&crew, true);
            byte = (char)('0' + crew.rank);
        }
        if (write(told[1], &byte, 1) == 1)
            pause();
        _exit(1);
    }
    close(told[1]);
    assert_int_equal(read(told[0], &byte, 1), 1);
    close(told[0]);
    assert_int_equal(byte, '0');
    return child;
}

static void test_who_is_killed_no_longer_counts(void **state)
{
    struct fixture *fixture = *state;
    crew_leave(&fixture->crew[0]);
    for (int times = 0; times < 2; times++) {
        pid_t child = start_worker(fixture->folder);
        assert_true(crew_has_ready_before(&fixture->crew[1]));
        assert_int_equal(crew_next_ready(&fixture->crew[1], false), 0);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_false(crew_has_ready_before(&fixture->crew[1]));
        assert_int_equal(crew_next_ready(&fixture->crew[1], false), -1);
    }
    assert_int_equal(crew_join(&fixture->crew[0], fixture->folder, WORKERS), STATUS_OK);
    assert_int_equal(fixture->crew[0].rank, 0);
}

static const struct {
    const char *name;
    const char *ready; /* a digit a rank */
    int us;
    bool has_before;
    const char *next; /* of six looks, the last three of which pass on */
} READY[] = {
    {"nobody", "", 1, false, "------"},
    {"we alone", "1", 1, false, "------"},
    {"the first", "0", 2, true, "000000"},
    {"the first, seen by itself", "0", 0, false, "------"},
    {"the last does not come before us", "3", 1, false, "333333"},
    {"the one without a rank", "4", 3, false, "444444"},
    {"we without a rank", "4", 4, false, "------"},
    {"two", "13", 2, true, "333131"},
    {"all but us", "0234", 1, true, "444320"},
    {"all, seen by the first", "01234", 0, false, "444321"},
};

static void test_ready(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(READY); i++) {
        struct crew *us = &fixture->crew[READY[i].us];
        us->first = WORKERS;
        for (int rank = 0; rank <= WORKERS; rank++) {
            bool is_ready = strchr(READY[i].ready, '0' + rank) != NULL;
            crew_say_ready(&fixture->crew[rank], is_ready);
            crew_say_ready(&fixture->crew[rank], is_ready); /* saying it again changes nothing */
            assert_case_int(READY[i].name, crew_is_ready(&fixture->crew[rank]), is_ready);
        }
        assert_case_int(READY[i].name, crew_has_ready_before(us), READY[i].has_before);
        for (int look = 0; look < 6; look++) {
            char next = READY[i].next[look];
            assert_case_int(READY[i].name, crew_next_ready(us, look >= 3), next == '-' ? -1 : next - '0');
        }
    }
}

/* Of those that share the rank beyond the last one is ready. */
static void test_one_of_a_shared_rank(void **state)
{
    struct fixture *fixture = *state;
    struct crew other;
    assert_int_equal(crew_join(&other, fixture->folder, WORKERS), STATUS_OK);
    assert_int_equal(other.rank, WORKERS);
    crew_say_ready(&fixture->crew[WORKERS], true);
    crew_say_ready(&other, true);
    assert_false(crew_is_ready(&other));
    crew_say_ready(&fixture->crew[WORKERS], false);
    crew_say_ready(&other, true);
    assert_true(crew_is_ready(&other));
    crew_leave(&other);
}

static void test_slots(void **state)
{
    const struct fixture *fixture = *state;
    struct slots slots;
    int held[3];
    int number = -1;
    assert_int_equal(lockfile_init(&slots, fixture->folder, "ready", 2), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        held[i] = lockfile_take(&slots, &number);
        assert_int_equal(number, i);
        assert_int_equal(held[i] >= 0, i < 2);
    }
    assert_true(lockfile_is_taken(&slots, 1));
    lockfile_release(held[0]);
    assert_int_equal(lockfile_take_one(&slots, 1), -1);
    held[0] = lockfile_take(&slots, NULL);
    assert_true(held[0] >= 0);
    for (int i = 0; i < 3; i++)
        lockfile_release(held[i]);
    assert_false(lockfile_is_taken(&slots, 0) || lockfile_is_taken(&slots, 1));
}

static int open_files(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF;
    return count;
}

/* It takes nothing, neither from others nor for itself, and leaves nothing open. */
static void test_looking_disturbs_nobody(void **state)
{
    struct fixture *fixture = *state;
    const struct slots *ready = &fixture->crew[0].ready;
    int before = open_files();
    for (int i = 0; i < 10; i++) {
        assert_false(lockfile_is_taken(ready, 0));
        assert_int_equal(crew_next_ready(&fixture->crew[1], false), -1);
    }
    assert_int_equal(open_files(), before);
    crew_say_ready(&fixture->crew[0], true);
    assert_true(crew_is_ready(&fixture->crew[0]));
    for (int i = 0; i < 10; i++) {
        assert_true(lockfile_is_taken(ready, 0));
        assert_true(crew_has_ready_before(&fixture->crew[1]));
        assert_int_equal(lockfile_take_one(ready, 0), -1);
    }
    assert_int_equal(open_files(), before + 1);
    crew_say_ready(&fixture->crew[0], false);
    assert_false(lockfile_is_taken(ready, 0));
    assert_int_equal(open_files(), before);
}

static void test_no_folder(void **state)
{
    (void)state;
    struct crew crew;
    assert_int_equal(crew_join(&crew, "/tmp/upbeat-no-such-folder", WORKERS), STATUS_FAILED);
    assert_int_equal(errno, ENOENT);
    crew_leave(&crew); /* is allowed then */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ranks_from_the_lowest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_is_killed_no_longer_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ready, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_of_a_shared_rank, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_looking_disturbs_nobody, set_up, tear_down),
        cmocka_unit_test(test_no_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
