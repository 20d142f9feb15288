/* Numbers in somebody else's memory: what type they have, how far apart they lie, and how they
 * become the bytes of a vector. Strides may be negative or zero, elements unaligned or in the
 * other byte order. Output is always little-endian and may be unaligned; it must not overlap the
 * source. Nothing here allocates or fails; thread-safe. */
#ifndef MVN_CORE_ELEMENT_H
#define MVN_CORE_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    MVN_ELEMENT_OTHER = 0, /* not a number that a vector can hold */
    MVN_ELEMENT_BOOL,
    MVN_ELEMENT_I8,
    MVN_ELEMENT_U8,
    MVN_ELEMENT_I16,
    MVN_ELEMENT_U16,
    MVN_ELEMENT_I32,
    MVN_ELEMENT_U32,
    MVN_ELEMENT_I64,
    MVN_ELEMENT_U64,
    MVN_ELEMENT_F16,
    MVN_ELEMENT_BF16,
    MVN_ELEMENT_F32,
    MVN_ELEMENT_F64
} mvn_element;

typedef struct {
    const uint8_t *data;
    ptrdiff_t stride; /* bytes from one element to the next */
    size_t count;
    mvn_element element;
    bool swapped; /* elements are in the byte order that is not this machine's */
} mvn_strided;

/* Bytes of one element; 0 for MVN_ELEMENT_OTHER. */
size_t mvn_element_size(mvn_element element);

/* BOOL, and the signed and unsigned integers. */
static inline bool mvn_element_is_integer(mvn_element element)
{
    return element >= MVN_ELEMENT_BOOL && element <= MVN_ELEMENT_U64;
}

/* The element that a PEP 3118 format of one item says ("<f", "b", "@q"); `itemsize` tells the
 * sizes of "l" and "L". NULL is "B". MVN_ELEMENT_OTHER for anything else. `swapped` is written
 * in every case. */
mvn_element mvn_element_parse(const char *format, size_t itemsize, bool *swapped);

/* Writes count * 4, 2 or 2 bytes. Integers and binary64 are rounded to nearest; the 16-bit formats
 * are rounded from binary32. The element must not be MVN_ELEMENT_OTHER. */
void mvn_strided_to_f32(const mvn_strided *source, uint8_t *out);
void mvn_strided_to_f16(const mvn_strided *source, uint8_t *out);
void mvn_strided_to_bf16(const mvn_strided *source, uint8_t *out);

/* Writes `count` bytes, one per integer. The result is the index of the first element that lies
 * outside [-128, 127] or [0, 255], or `count` when all fit. The element must be an integer. */
size_t mvn_strided_to_i8(const mvn_strided *source, uint8_t *out);
size_t mvn_strided_to_u8(const mvn_strided *source, uint8_t *out);

/* Any of the five above, by the element that is to be written; only I8 and U8 can stop early. */
size_t mvn_strided_to(const mvn_strided *source, mvn_element target, uint8_t *out);

/* Writes the elements as they lie in memory, byte order included, one after the other: count *
 * size bytes. */
void mvn_strided_copy(const mvn_strided *source, uint8_t *out);

/* Element `index`, which must be an integer; false, and nothing written, when it exceeds int64. */
bool mvn_strided_get_int(const mvn_strided *source, size_t index, int64_t *value);

/* Element `index` as a double, for messages and checks. */
double mvn_strided_get(const mvn_strided *source, size_t index);

#endif
