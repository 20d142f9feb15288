/* What of a request picks its reply: read from its bytes, without keeping them. */
#ifndef FAKE_MILVUS_SHAPE_H
#define FAKE_MILVUS_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#define METHOD_SIZE 48
#define NAME_SIZE 128
#define FIELDS_SIZE 512

typedef struct {
    char method[METHOD_SIZE];
    char collection[NAME_SIZE];
    char fields[FIELDS_SIZE]; /* output fields, joined by "," */
    uint64_t rows;            /* of an insert, or keys named by a filter `x in [...]` */
    uint64_t nq;
    uint64_t limit; /* topk of a search; 0 when none was given */
} shape;

/* Reads `message` of a call to `method` into `*out`. -1 when it does not parse. */
int shape_read(shape *out, const char *method, const uint8_t *message, size_t size);

#endif
