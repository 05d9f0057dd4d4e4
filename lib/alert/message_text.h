/* The words that messages have in common, as plain UTF-8: each form escapes them in its own way. */
#ifndef UPBEAT_ALERT_MESSAGE_TEXT_H
#define UPBEAT_ALERT_MESSAGE_TEXT_H

#include "alert/message.h"
#include "pages/page_url.h"

enum {
    HEADLINE_MAX_CHARACTERS = 150,
    LINE_MAX_BYTES = 4000,
};

/* Appends what a title shows: in one line, without control characters and without those that turn the
 * direction of text around (U+202A to U+202E, U+2066 to U+2069), at most max_characters as UTF-16 counts
 * them, the last of which is an ellipsis where it was cut. Bytes that are no UTF-8 become U+FFFD. */
void message_put_plain(struct buffer *out, const char *text, size_t max_characters);

/* Appends the headline of the page, its path where it has none, the host of a whole site. */
void message_put_headline(struct buffer *out, const struct alert_event *event);

/* "Rising", "No longer rising" ... Static storage. */
const char *message_words(const struct alert_event *event);

/* Appends "3.2 × expected: 410 against 128, social +260", or what there is to say of this kind of event. */
void message_put_figures(struct buffer *out, const struct alert_event *event);

/* Appends the minutes as block characters, U+2581 to U+2588, with "·" for one that is not known; nothing
 * where none is known. */
void message_put_sparkline(struct buffer *out, const struct alert_event *event);

/* Appends the address of the board, open on that page; nothing where it is not known. */
void message_put_board_url(struct buffer *out, const struct alert_message *message,
                           const struct alert_event *event);

/* The causes as "search+social"; nothing where they are not known. */
void message_put_cause(struct buffer *out, const struct alert_event *event);

/* Visitors against what is expected; 0 where nothing is expected. */
double message_ratio(const struct alert_event *event);

/* "Rising: A headline", "Falling: A headline, and 3 more", or what a test says. */
void message_put_subject(struct buffer *out, const struct alert_message *message);

#endif
