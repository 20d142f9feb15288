/* Rows of sparse vectors: pairs of u32 index and f32 value, little-endian, eight bytes a pair,
 * sorted by index. Thread-safe. */
#ifndef MVN_CORE_SPARSE_H
#define MVN_CORE_SPARSE_H

#include "half.h"
#include "status.h"
#include "wire_reader.h"

#define MVN_SPARSE_PAIR 8
#define MVN_SPARSE_MAX_INDEX 0xfffffffeu /* 2^32 - 1 itself is refused by servers */

/* Writes one pair; `out` has room for MVN_SPARSE_PAIR bytes. */
static inline void mvn_sparse_put(uint8_t *out, uint32_t index, float value)
{
    uint32_t bits = mvn_f32_bits(value);
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(index >> (8 * i));
        out[4 + i] = (uint8_t)(bits >> (8 * i));
    }
}

/* Sorts `count` pairs by index; pairs with the same index keep their order. MVN_ENOMEM leaves
 * them as they were. */
MVN_MUST_CHECK mvn_status mvn_sparse_sort(uint8_t *pairs, size_t count);

/* Number of pairs in a row from the network; MVN_EFORMAT if the bytes are not whole pairs. */
MVN_MUST_CHECK static inline mvn_status mvn_sparse_count(mvn_span row, size_t *count)
{
    *count = row.size / MVN_SPARSE_PAIR;
    return row.size % MVN_SPARSE_PAIR == 0 ? MVN_OK : MVN_EFORMAT;
}

/* Pair `i` of a row; `i` is below mvn_sparse_count. */
static inline uint32_t mvn_sparse_index(mvn_span row, size_t i)
{
    return mvn_load_u32le(row.data + i * MVN_SPARSE_PAIR);
}

static inline float mvn_sparse_value(mvn_span row, size_t i)
{
    return mvn_load_f32le(row.data + i * MVN_SPARSE_PAIR + 4);
}

#endif
