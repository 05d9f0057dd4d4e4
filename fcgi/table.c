#include "table.h"

#include <stdio.h>

void table_put(const struct database_rows *rows, size_t row, int column, int width)
{
    size_t len = 0;
    const char *text = database_bytes(rows, row, column, &len);
    if (!text || len == 0) {
        text = "-";
        len = 1;
    }
    for (size_t i = 0; i < len; i++)
        putchar((unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i]);
    for (size_t i = len; i < (size_t)width; i++)
        putchar(' ');
}

void table_print(const struct database_rows *rows, const struct table_column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%-*s", columns[i].width, columns[i].name);
    putchar('\n');
    for (size_t row = 0; row < database_rows_count(rows); row++) {
        for (size_t i = 0; i < count; i++) {
            table_put(rows, row, columns[i].column, columns[i].width > 0 ? columns[i].width - 1 : 0);
            putchar(i + 1 < count ? ' ' : '\n');
        }
    }
}
