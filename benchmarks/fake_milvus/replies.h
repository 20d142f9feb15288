/* Replies of the right shape, made once for each shape and kept.
 *
 * Collections are read from a folder of DescribeCollectionResponse files, named by the collection:
 * they say which fields there are, and of which types. Everything else is made here: keys, scores
 * and field values are functions of the row's number, so that equal requests get equal bytes. */
#ifndef FAKE_MILVUS_REPLIES_H
#define FAKE_MILVUS_REPLIES_H

#include "shape.h"

/* A gRPC frame: five bytes of header, then the message. */
typedef struct {
    const uint8_t *data;
    size_t size;
} frame;

/* Reads the collections; ends the program when that fails. */
void replies_load(const char *folder);

/* The reply to `asked`; valid for ever. NULL when there is none, with the reason in `error`. */
const frame *replies_find(const shape *asked, char *error, size_t error_size);

/* Frees `made` with free(). */
frame *replies_frame(const void *message, size_t size);

#endif
