#include "unit.h"

#include "base/clock.h"
#include "db/name_look_up.h"

#include <dirent.h>
#include <poll.h>

static void test_a_name_is_found_or_not(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int result;
        const char *address;
    } cases[] = {
        {"127.0.0.1", 0, "127.0.0.1"},
        {"::1", 0, "::1"},
        {"", EAI_NONAME, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char addresses[2][NI_MAXHOST];
        struct name_look_up *look_up = name_look_up_new(cases[i].name);
        struct deadline until = deadline_in(10000);
        assert_non_null(look_up);
        while (name_look_up_result(look_up) == EAI_INPROGRESS && deadline_left_ms(until) > 0)
            name_look_up_wait(look_up, 500);
        assert_case_int(cases[i].name, name_look_up_result(look_up), cases[i].result);
        size_t count = name_look_up_addresses(look_up, addresses, COUNT(addresses));
        assert_case_int(cases[i].name, count, cases[i].address ? 1 : 0);
        if (count > 0)
            assert_case_text(cases[i].name, addresses[0], cases[i].address);
        name_look_up_free(look_up);
    }
}

/* Threads that are in the middle of a look-up hold memory of their own; those that have none to do end. */
static void await_one_thread(void)
{
    struct deadline until = deadline_in(10000);
    size_t count = 2;
    while (count > 1 && deadline_left_ms(until) > 0) {
        DIR *threads = opendir("/proc/self/task");
        assert_non_null(threads);
        count = 0;
        for (const struct dirent *entry = readdir(threads); entry; entry = readdir(threads))
            count += entry->d_name[0] != '.';
        closedir(threads);
        (void)poll(NULL, 0, 10);
    }
}

/* LeakSanitizer looks at what is left of them at the end of the program. */
static void test_one_that_is_under_way_may_be_freed(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++)
        name_look_up_free(name_look_up_new("localhost"));
    name_look_up_free(NULL);
    await_one_thread();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_is_found_or_not),
        cmocka_unit_test(test_one_that_is_under_way_may_be_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
