/* The worker's end of the socket to the fetcher, where the fetcher is a socket of the test's own and the
 * clock is given. */
#include "unit.h"

#include "refresh/client.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct scene {
    struct refresh_client *client;
    int listener;
    char folder[40];
    char socket[80];
};

static struct scene scene;

static int set_up(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    memset(&scene, 0, sizeof scene);
    snprintf(scene.folder, sizeof scene.folder, "/tmp/upbeat-client-XXXXXX");
    if (!mkdtemp(scene.folder))
        return -1;
    snprintf(scene.socket, sizeof scene.socket, "%s/fetch.sock", scene.folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", scene.socket);
    scene.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(scene.listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(scene.listener, 4) != 0 || refresh_client_new(&scene.client, scene.socket) != STATUS_OK)
        return -1;
    return refresh_client_tend(scene.client, false, 0) == CLIENT_CONNECTED ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    refresh_client_free(scene.client);
    close(scene.listener);
    unlink(scene.socket);
    rmdir(scene.folder);
    return 0;
}

static bool ask(int64_t now_ms)
{
    const struct refresh_message message = {.type = REFRESH_ASK, .host = "a.example"};
    return refresh_client_send(scene.client, &message, now_ms);
}

/* A turn of the worker may take nearly as long as a fetcher may be silent: the time before the question does
 * not count. */
static void test_silence_begins_with_the_question(void **state)
{
    (void)state;
    const int64_t asked_ms = REFRESH_SILENCE_MS - 50;
    assert_int_equal(refresh_client_tend(scene.client, false, 0), CLIENT_SAME);
    assert_true(ask(asked_ms));
    assert_int_equal(refresh_client_timeout_ms(scene.client, true, asked_ms, 60000), REFRESH_SILENCE_MS);
    assert_int_equal(refresh_client_tend(scene.client, true, REFRESH_SILENCE_MS), CLIENT_SAME);
    assert_true(ask(asked_ms + 500)); /* one more does not make the silence shorter */
    assert_int_equal(refresh_client_tend(scene.client, true, asked_ms + REFRESH_SILENCE_MS - 1), CLIENT_SAME);
    assert_int_equal(refresh_client_tend(scene.client, true, asked_ms + REFRESH_SILENCE_MS), CLIENT_BROKEN);
    assert_int_equal(refresh_client_fd(scene.client), -1);
}

/* Once there is no room for more, the worker gives up those who wait, so that nothing is owed. The fetcher is
 * frozen all the same. */
static void test_a_fetcher_that_reads_nothing_is_left(void **state)
{
    (void)state;
    int64_t now_ms = 0;
    while (ask(0))
        ;
    for (now_ms = 0; now_ms < REFRESH_SILENCE_MS; now_ms += 10)
        assert_int_equal(refresh_client_tend(scene.client, false, now_ms), CLIENT_SAME);
    assert_int_equal(refresh_client_tend(scene.client, false, now_ms), CLIENT_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_silence_begins_with_the_question, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_fetcher_that_reads_nothing_is_left, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
