#include "unit.h"

#include "alert/message_text.h"
#include "base/utf8.h"

static const struct alert_event RISE = {.event_id = 17,
                                        .kind = EVENT_RISE,
                                        .host = "a.example",
                                        .path = "/p?x=1&y=2",
                                        .title = "Fire at the <port> & more",
                                        .began_ms = 1764151200123,
                                        .peak_ms = 1764151500000,
                                        .visitors = 410,
                                        .expected = 128,
                                        .score = 9.5,
                                        .peak = 520,
                                        .peak_expected = 130,
                                        .causes = 1u << SOURCE_SOCIAL,
                                        .has_sources = true,
                                        .sources = {3, 260, 1, 2, 4},
                                        .minutes = {-1, 0, 50, 100, 400}};

static struct alert_message message_of(const struct alert_event *events, size_t count)
{
    return (struct alert_message){.message_id = "0b7c",
                                  .created_ms = 1764151201000,
                                  .channel = "desk",
                                  .board_url = "https://up.example/board/",
                                  .mail_to = "desk@a.example",
                                  .events = events,
                                  .count = count};
}

static void test_plain(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t max;
        const char *plain;
    } cases[] = {
        {"plain", 10, "plain"},
        {"a\r\nBcc: b\x01\x7f  c", 100, "a Bcc: b c"},
        {"\n\n a", 10, "a"},
        {"a\xe2\x80\xa8"
         "b\xc2\x85"
         "c",
         10, "a b c"},
        {"a\xe2\x80\xae"
         "b\xe2\x81\xa6"
         "c",
         10, "abc"},
        {"12345", 5, "12345"},
        {"123456", 5, "1234…"},
        {"äöüäöü", 5, "äöüä…"},
        {"😀😀😀", 6, "😀😀😀"},
        {"😀😀😀", 5, "😀😀…"},
        {"😀😀😀", 4, "😀…"},
        {"a\xff\xc3(", 10, "a\xef\xbf\xbd\xef\xbf\xbd("},
        {"<!channel> *", 20, "<!channel> *"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buffer out;
        buffer_init(&out, 1000);
        message_put_plain(&out, cases[i].text, cases[i].max);
        assert_case_text(cases[i].text, out.data, cases[i].plain);
        buffer_release(&out);
    }
}

static void test_figures(void **state)
{
    (void)state;
    struct alert_event cases[9];
    static const char *const wanted[COUNT(cases)] = {
        "3.2 × expected: 410 against 128, social +260",
        "for 35 minutes, at most 520 at 10:05 UTC (4.0 × expected)",
        "15 minutes later 245 against 185 expected, 180 before: +32 %",
        "15 minutes later 190 against 185 expected, 180 before: not told apart from chance",
        "since 10:00 UTC; until it is back nothing is compared",
        "for 2 hours",
        "410, more than ever before",
        "410 against 0, social",
        "3.2 × expected: 410 against 128, social +260; it was over before this was told, for less than a "
        "minute, "
        "at most 520 at 10:05 UTC (4.0 × expected)",
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        cases[i] = RISE;
    cases[1].is_end = true;
    cases[1].ended_ms = RISE.began_ms + 35 * 60000;
    cases[2].kind = cases[3].kind = EVENT_HEADLINE;
    cases[2].visitors = 245;
    cases[3].visitors = 190;
    cases[2].expected = cases[3].expected = 185;
    cases[2].peak = cases[3].peak = 180;
    cases[3].score = 0.4;
    cases[4].kind = cases[5].kind = EVENT_OUTAGE;
    cases[5].is_end = true;
    cases[5].ended_ms = RISE.began_ms + 120 * 60000;
    cases[6].kind = EVENT_RECORD;
    cases[7].expected = 0;
    cases[7].has_sources = false;
    cases[8].ended_ms = RISE.began_ms + 1000;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buffer out;
        buffer_init(&out, LINE_MAX_BYTES);
        message_put_figures(&out, &cases[i]);
        assert_case_text(wanted[i], out.data, wanted[i]);
        buffer_release(&out);
    }
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *host, *path, *page, *board;
    } cases[] = {
        {"a.example", "/p?x=1&y=2", "https://a.example/p?x=1&y=2",
         "https://up.example/board/#host=a.example&page=/p%3Fx%3D1%26y%3D2"},
        {"a.example", NULL, "https://a.example/", "https://up.example/board/#host=a.example"},
        {"video@a.example", "/", "https://a.example/",
         "https://up.example/board/#host=video@a.example&page=/"},
        {"a.example", "blog.a.example/x", "https://blog.a.example/x",
         "https://up.example/board/#host=a.example&page=blog.a.example/x"},
        {"a.example", "//localhost/x", "https://localhost/x",
         "https://up.example/board/#host=a.example&page=//localhost/x"},
        {"a.example", "/<a>|\" \\x%20", "https://a.example/%3Ca%3E%7C%22%20%5Cx%20",
         "https://up.example/board/#host=a.example&page=/%3Ca%3E%7C%22%20%5Cx%2520"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct alert_event event = RISE;
        struct alert_message message = message_of(&event, 1);
        struct buffer out;
        event.host = cases[i].host;
        event.path = cases[i].path;
        buffer_init(&out, PAGE_URL_MAX_BYTES);
        page_url_put(&out, event.host, event.path);
        assert_case_text(cases[i].page, out.data, cases[i].page);
        buffer_clear(&out, PAGE_URL_MAX_BYTES);
        message_put_board_url(&out, &message, &event);
        assert_case_text(cases[i].board, out.data, cases[i].board);
        buffer_release(&out);
    }
}

static void test_sparkline(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1000);
    message_put_sparkline(&out, &RISE);
    assert_int_equal(strncmp(out.data, "·▁▂▃█▁▁", strlen("·▁▂▃█▁▁")), 0);
    buffer_clear(&out, 1000);
    struct alert_event unknown = RISE;
    memset(unknown.minutes, -1, sizeof unknown.minutes);
    message_put_sparkline(&out, &unknown);
    assert_int_equal(out.len_bytes, 0);
    buffer_release(&out);
}

static void test_webhook(void **state)
{
    (void)state;
    struct buffer out;
    struct alert_event events[2] = {RISE, RISE};
    struct alert_message message = message_of(events, 1);
    buffer_init(&out, ALERT_BODY_MAX_BYTES);
    message_webhook(&out, &message);
    assert_case_text(
        "one", out.data,
        "{\"type\":\"rise.began\",\"timestamp\":\"2025-11-26T10:00:01.000Z\",\"data\":{\"id\":17,\"kind\":"
        "\"rise\","
        "\"host\":\"a.example\",\"path\":\"/p?x=1&y=2\",\"title\":\"Fire at the \\u003cport> & more\","
        "\"began_at\":\"2025-11-26T10:00:00.123Z\",\"peak_at\":\"2025-11-26T10:05:00.000Z\",\"ended_at\":"
        "null,"
        "\"visitors\":410.00,\"expected\":128.00,\"ratio\":3.20,\"score\":9.50,\"peak\":520.00,"
        "\"peak_expected\":130.00,\"cause\":\"social\",\"sources\":{\"search\":3.00,\"social\":260.00,"
        "\"links\":1.00,\"direct\":2.00,\"internal\":4.00},\"url\":\"https://a.example/p?x=1&y=2\","
        "\"board_url\":\"https://up.example/board/#host=a.example&page=/p%3Fx%3D1%26y%3D2\"}}\n");
    buffer_clear(&out, ALERT_BODY_MAX_BYTES);
    events[1].is_end = true;
    message.count = 2;
    message_webhook(&out, &message);
    assert_non_null(strstr(out.data,
                           "{\"type\":\"events\",\"timestamp\":\"2025-11-26T10:00:01.000Z\",\"data\":{"
                           "\"held_back\":false,\"events\":["));
    assert_non_null(strstr(out.data, "{\"type\":\"rise.ended\",\"id\":17,"));
    buffer_clear(&out, ALERT_BODY_MAX_BYTES);
    message.count = 0;
    message_webhook(&out, &message);
    assert_case_text(
        "test", out.data,
        "{\"type\":\"test\",\"timestamp\":\"2025-11-26T10:00:01.000Z\",\"data\":{\"channel\":\"desk\"}}\n");
    buffer_release(&out);
}

static void test_slack(void **state)
{
    (void)state;
    struct buffer out;
    struct alert_event event = RISE;
    struct alert_message message = message_of(&event, 1);
    event.title = "<!channel> <@U1> a|b>c & \"d\"";
    buffer_init(&out, ALERT_BODY_MAX_BYTES);
    message_slack(&out, &message);
    assert_case("fallback",
                strstr(out.data, "{\"text\":\"Rising: &lt;!channel&gt; &lt;@U1&gt; a|b&gt;c &amp; "
                                 "\\\"d\\\" (3.2 × expected: 410 against 128, social +260)\""));
    assert_case("link", strstr(out.data, "Rising: *\\u003chttps://a.example/p?x=1&amp;y=2|&lt;!channel&gt; "
                                         "&lt;@U1&gt; a|b&gt;c &amp; \\\"d\\\">*\\n3.2 × expected"));
    assert_case("board", strstr(out.data, "|Board>"));
    buffer_release(&out);
}

/* However long titles and paths are, a section has at most 3,000 characters, a message at most 50 blocks. */
static void test_slack_bounds(void **state)
{
    (void)state;
    static char title[4001];
    static char path[2001];
    static struct alert_event events[ALERT_EVENTS_MAX];
    struct buffer out;
    memset(title, '&', sizeof title - 1);
    memset(path, '&', sizeof path - 1);
    path[0] = '/';
    for (size_t i = 0; i < COUNT(events); i++) {
        events[i] = RISE;
        events[i].title = title;
        events[i].path = path;
        events[i].ended_ms = RISE.began_ms + 60000;
    }
    struct alert_message message = message_of(events, COUNT(events));
    message.is_held = true;
    buffer_init(&out, ALERT_BODY_MAX_BYTES);
    message_slack(&out, &message);
    assert_int_equal(out.status, STATUS_OK);
    int blocks = 0;
    for (const char *at = out.data; (at = strstr(at, "{\"type\":\"section\"")); at++) {
        const char *end = strstr(at, "\"}}");
        assert_true(end && end - at < 3100);
        blocks++;
    }
    assert_true(blocks >= 20 && blocks < 50);
    assert_non_null(strstr(out.data, "480 more: see the board"));
    buffer_release(&out);
}

/* gather_alerts() reckons with so many bytes, so that the events that it puts into a message fit. */
static void test_webhook_bytes(void **state)
{
    (void)state;
    static char title[4001];
    static char path[2001];
    static char host[254];
    struct alert_event event = RISE;
    struct buffer out;
    memset(title, '<', sizeof title - 1);
    memset(path, '<', sizeof path - 1);
    memset(host, 'h', sizeof host - 1);
    event.title = title;
    event.path = path;
    event.host = host;
    const struct alert_message message = message_of(&event, 1);
    buffer_init(&out, ALERT_BODY_MAX_BYTES);
    message_webhook(&out, &message);
    assert_int_equal(out.status, STATUS_OK);
    assert_true(out.len_bytes <= 1500 + 12 * (sizeof path - 1) + 6 * (sizeof title - 1));
    assert_true(out.len_bytes > 12 * (sizeof path - 1) + 6 * (sizeof title - 1));
    buffer_release(&out);
}

static void test_mail(void **state)
{
    (void)state;
    struct buffer out;
    struct alert_event event = RISE;
    struct alert_message message = message_of(&event, 1);
    event.title = "Fünf\r\nBcc: all@b.example\n\nFrom me";
    buffer_init(&out, ALERT_BODY_MAX_BYTES);
    message_mail(&out, &message);
    assert_case("subject",
                strstr(out.data,
                       "To: desk@a.example\n"
                       "Subject: =?UTF-8?B?UmlzaW5nOiBGw7xuZiBCY2M6IGFsbEBiLmV4YW1wbGUgRnJvbSBtZQ==?=\n"
                       "Date: Wed, 26 Nov 2025 10:00:01 +0000\n"
                       "Message-ID: <event-17.1764151200123@a.example>\n"
                       "List-Id: <desk.upbeat.localhost>\n"));
    assert_case("automatic", strstr(out.data, "\nAuto-Submitted: auto-generated\n"));
    assert_case("body",
                strstr(out.data, "\n\nRising: F=C3=BCnf Bcc: all@b.example From me\n3.2 =C3=97 expected"));
    assert_case("no header", !strstr(out.data, "\nBcc:"));
    buffer_clear(&out, ALERT_BODY_MAX_BYTES);
    event.is_end = true;
    message_mail(&out, &message);
    assert_case("thread", strstr(out.data, "Message-ID: <0b7c@upbeat.localhost>\n"
                                           "References: <event-17.1764151200123@a.example>\n"
                                           "In-Reply-To: <event-17.1764151200123@a.example>\n"));
    for (const char *line = out.data; *line; line = strchr(line, '\n') + 1)
        assert_true(strchr(line, '\n') && strchr(line, '\n') - line <= 78);
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),         cmocka_unit_test(test_figures),
        cmocka_unit_test(test_addresses),     cmocka_unit_test(test_sparkline),
        cmocka_unit_test(test_webhook),       cmocka_unit_test(test_slack),
        cmocka_unit_test(test_mail),          cmocka_unit_test(test_slack_bounds),
        cmocka_unit_test(test_webhook_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
