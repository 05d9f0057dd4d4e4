/* A hostile headline and path in every form of a message: the markup, the headers and the lines stay ours. */
#include "fuzz.h"

#include "alert/message_text.h"
#include "base/utf8.h"

#include <cjson/cJSON.h>

static struct alert_message message_of(struct alert_event *event, char *title, char *path)
{
    memset(event, 0, sizeof *event);
    event->host = "a.example";
    event->title = title;
    event->path = path;
    event->kind = (enum event_kind)((unsigned char)title[0] % EVENT_KINDS);
    event->visitors = 410;
    event->expected = 128;
    return (struct alert_message){.message_id = "1",
                                  .channel = "desk",
                                  .board_url = "https://up.example/board/",
                                  .mail_to = "desk@a.example",
                                  .events = event,
                                  .count = 1};
}

/* In mrkdwn "<" begins our links alone, and each ends. */
static void check_markup(const char *text)
{
    bool is_open = false;
    for (const char *at = text; *at; at++) {
        if (*at == '<') {
            MUST_HOLD(!is_open && strncmp(at, "<https://", 9) == 0);
            is_open = true;
        } else if (*at == '>') {
            MUST_HOLD(is_open);
            is_open = false;
        }
    }
    MUST_HOLD(!is_open && strlen(text) < 3000);
}

static void check_slack(const char *json)
{
    cJSON *root = cJSON_Parse(json);
    const cJSON *block = NULL;
    MUST_HOLD(root);
    check_markup(cJSON_GetObjectItem(root, "text")->valuestring);
    cJSON_ArrayForEach(block, cJSON_GetObjectItem(root, "blocks"))
        check_markup(cJSON_GetObjectItem(cJSON_GetObjectItem(block, "text"), "text")->valuestring);
    cJSON_Delete(root);
}

/* The headers are ours, in their order; no line is long, and none has another byte than ASCII. */
static void check_mail(const char *mail)
{
    static const char *const names[] = {"To: ", "Subject: ", "Date: ", "Message-ID: "};
    size_t number = 0;
    for (const char *line = mail; *line; line = strchr(line, '\n') + 1) {
        const char *end = strchr(line, '\n');
        MUST_HOLD(end && end - line <= 78);
        for (const char *at = line; at < end; at++)
            MUST_HOLD(*at >= ' ' && *at < 0x7f);
        if (*line != ' ' && number < sizeof names / sizeof *names) {
            MUST_HOLD(strncmp(line, names[number], strlen(names[number])) == 0);
            number++;
        }
        MUST_HOLD(strncmp(line, "Bcc:", 4) != 0);
        if (line == end)
            break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    struct alert_event event;
    struct buffer out;
    char *title = fuzz_text(data, len_bytes);
    char *path = fuzz_text(data + len_bytes / 2, len_bytes - len_bytes / 2);
    struct alert_message message = message_of(&event, title, path);
    buffer_init(&out, ALERT_BODY_MAX_BYTES);
    message_slack(&out, &message);
    MUST_HOLD(out.status == STATUS_OK && utf8_valid(out.data, out.len_bytes));
    check_slack(out.data);
    buffer_clear(&out, 0);
    message_mail(&out, &message);
    MUST_HOLD(out.status == STATUS_OK);
    check_mail(out.data);
    buffer_clear(&out, 0);
    if (utf8_valid(title, strlen(title))) {
        message_webhook(&out, &message);
        cJSON *root = cJSON_Parse(out.data);
        const cJSON *body = cJSON_GetObjectItem(root, "data");
        MUST_HOLD(body && strcmp(cJSON_GetObjectItem(body, "title")->valuestring, title) == 0);
        cJSON_Delete(root);
    }
    buffer_release(&out);
    free(title);
    free(path);
    return 0;
}
