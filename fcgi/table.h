/* Rows of the database as a table on a terminal. Notes and headlines are people's text: no control character
 * reaches the terminal. */
#ifndef UPBEAT_FCGI_TABLE_H
#define UPBEAT_FCGI_TABLE_H

#include "db/database.h"

struct table_column {
    int column; /* of the rows */
    int width;  /* 0: as wide as it is, for the last one */
    const char *name;
};

/* Prints the field, "-" for SQL's null and for an empty one, padded to `width`. */
void table_put(const struct database_rows *rows, size_t row, int column, int width);

/* Prints a line of names and a line a row. */
void table_print(const struct database_rows *rows, const struct table_column *columns, size_t count);

#endif
