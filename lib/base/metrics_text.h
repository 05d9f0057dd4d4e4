/* Metrics as Prometheus reads them: the text format, version 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats). */
#ifndef UPBEAT_BASE_METRICS_TEXT_H
#define UPBEAT_BASE_METRICS_TEXT_H

#include "base/buffer.h"
#include "base/metric_table.h"

#include <stdint.h>

#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends the two lines HELP and TYPE, which stand before the samples of a family. */
void metrics_text_family(struct buffer *out, enum metric metric);

/* Appends one sample of a counter or gauge. `values` has a text for each label of the family; the texts may
 * hold anything: they are escaped, and bytes that are no UTF-8 become question marks. The value is in
 * thousandths. */
void metrics_text_sample(struct buffer *out, enum metric metric, const char *const *values,
                         int64_t thousandths);

/* Appends all families that have cells, with what metrics_add_up() gives. Of a family with very many series
 * those that are 0 are left out. */
void metrics_text_counted(struct buffer *out);

#endif
