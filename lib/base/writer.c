#include "base/writer.h"

#include "base/escape.h"
#include "base/timestamp.h"

#include <string.h>

static bool is_json(const struct writer *writer)
{
    return writer->format == WRITE_JSON || writer->format == WRITE_JSON_LINES;
}

void writer_begin(struct writer *writer, struct buffer *out, enum writer_format format, const char *callback)
{
    *writer =
        (struct writer){.out = out, .format = format, .callback = format == WRITE_JSON ? callback : NULL};
    /* The comment keeps the name from being read as the start of another file format (Rosetta Flash). */
    if (writer->callback)
        buffer_append_format(out, "/**/%s(", writer->callback);
}

void writer_end(struct writer *writer)
{
    if (writer->format == WRITE_JSON)
        buffer_append_text(writer->out, writer->callback ? ");\n" : "\n");
}

static void end_line(struct writer *writer)
{
    buffer_append_text(writer->out, writer->format == WRITE_CSV ? "\r\n" : "\n");
}

void writer_header(struct writer *writer, const char *const *names, size_t count)
{
    if (is_json(writer))
        return;
    writer->has_fields = false;
    for (size_t i = 0; i < count; i++) {
        writer_name(writer, names[i]);
        buffer_append_text(writer->out, names[i]);
    }
    end_line(writer);
}

void writer_name(struct writer *writer, const char *name)
{
    if (writer->has_fields)
        buffer_append_char(writer->out, writer->format == WRITE_TSV ? '\t' : ',');
    writer->has_fields = true;
    if (!is_json(writer))
        return;
    buffer_append_char(writer->out, '"');
    buffer_append_text(writer->out, name);
    buffer_append(writer->out, "\":", 2);
}

static void begin(struct writer *writer, const char *name, char bracket)
{
    if (!is_json(writer))
        return;
    if (name)
        writer_name(writer, name);
    buffer_append_char(writer->out, bracket);
}

static void end(struct writer *writer, char bracket)
{
    if (is_json(writer))
        buffer_append_char(writer->out, bracket);
    writer->has_fields = true; /* of the object around it */
}

void writer_object_begin(struct writer *writer, const char *name)
{
    begin(writer, name, '{');
    writer->has_fields = false;
}

void writer_object_end(struct writer *writer)
{
    end(writer, '}');
}

void writer_rows_begin(struct writer *writer, const char *name)
{
    if (writer->format == WRITE_JSON)
        begin(writer, name, '[');
    writer->has_rows = false;
}

void writer_row_begin(struct writer *writer)
{
    if (writer->format == WRITE_JSON && writer->has_rows)
        buffer_append(writer->out, ",\n", 2);
    writer->has_rows = true;
    writer_object_begin(writer, NULL);
}

void writer_row_end(struct writer *writer)
{
    writer_object_end(writer);
    if (writer->format != WRITE_JSON)
        end_line(writer);
}

void writer_rows_end(struct writer *writer)
{
    if (writer->format == WRITE_JSON)
        end(writer, ']');
}

void writer_null(struct writer *writer, const char *name)
{
    writer_name(writer, name);
    if (is_json(writer))
        buffer_append_text(writer->out, "null");
}

void writer_text(struct writer *writer, const char *name, const char *text, size_t len_bytes)
{
    if (!text) {
        writer_null(writer, name);
        return;
    }
    writer_name(writer, name);
    if (is_json(writer))
        json_escape(writer->out, text, len_bytes);
    else if (writer->format == WRITE_CSV)
        csv_escape(writer->out, text, len_bytes);
    else
        buffer_append(writer->out, text, len_bytes);
}

void writer_raw(struct writer *writer, const char *name, const char *bytes, size_t len_bytes)
{
    if (!bytes) {
        writer_null(writer, name);
        return;
    }
    writer_name(writer, name);
    buffer_append(writer->out, bytes, len_bytes);
}

void writer_int(struct writer *writer, const char *name, int64_t number)
{
    writer_name(writer, name);
    buffer_append_int(writer->out, number);
}

void writer_decimal(struct writer *writer, const char *name, double number, int places)
{
    writer_name(writer, name);
    buffer_append_format(writer->out, "%.*f", places, number);
}

void writer_bool(struct writer *writer, const char *name, bool is_true)
{
    writer_name(writer, name);
    if (writer->format == WRITE_TSV)
        buffer_append_char(writer->out, is_true ? '1' : '0');
    else
        buffer_append_text(writer->out, is_true ? "true" : "false");
}

void writer_time(struct writer *writer, const char *name, time_us at)
{
    writer_name(writer, name);
    if (is_json(writer))
        buffer_append_char(writer->out, '"');
    timestamp_put(writer->out, at);
    if (is_json(writer))
        buffer_append_char(writer->out, '"');
}
