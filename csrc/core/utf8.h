/* UTF-8 sizes and encoding of text held as arrays of code points of 1, 2 or 4 bytes (the forms
 * CPython stores), without an intermediate copy. Pure functions, thread-safe. */
#ifndef MVN_CORE_UTF8_H
#define MVN_CORE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* Adds up into `*size` the bytes that `count` code points of `width` bytes each (1, 2 or 4) take
 * in UTF-8. MVN_EFORMAT when one of them is a surrogate or lies beyond U+10FFFF: then `*size` is
 * the index of that code point. */
MVN_MUST_CHECK mvn_status mvn_utf8_size(const void *points, int width, size_t count, size_t *size);

/* Writes them at `out`, which has room for what mvn_utf8_size found, and returns one past the last
 * byte. The code points must be those that were sized. */
uint8_t *mvn_utf8_encode(const void *points, int width, size_t count, uint8_t *out);

#endif
