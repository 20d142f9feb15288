#include "sparse.h"

#include <string.h>

#include "mem.h"

#define MVN_SPARSE_RUN 16 /* pairs that insertion sorts faster than merging does */

static uint32_t index_at(const uint8_t *pairs, size_t i)
{
    return mvn_load_u32le(pairs + i * MVN_SPARSE_PAIR);
}

static int is_sorted(const uint8_t *pairs, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (index_at(pairs, i - 1) > index_at(pairs, i)) {
            return 0;
        }
    }
    return 1;
}

static void insertion_sort(uint8_t *pairs, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint8_t pair[MVN_SPARSE_PAIR];
        uint32_t index = index_at(pairs, i);
        size_t j = i;
        while (j > 0 && index_at(pairs, j - 1) > index) {
            j--;
        }
        if (j != i) {
            memcpy(pair, pairs + i * MVN_SPARSE_PAIR, MVN_SPARSE_PAIR);
            memmove(pairs + (j + 1) * MVN_SPARSE_PAIR, pairs + j * MVN_SPARSE_PAIR,
                    (i - j) * MVN_SPARSE_PAIR);
            memcpy(pairs + j * MVN_SPARSE_PAIR, pair, MVN_SPARSE_PAIR);
        }
    }
}

/* Merges [begin, middle) and [middle, end) of `from` into the same place of `to`. */
static void merge(const uint8_t *from, uint8_t *to, size_t begin, size_t middle, size_t end)
{
    size_t left = begin, right = middle;
    for (size_t i = begin; i < end; i++) {
        size_t take;
        if (left < middle && (right == end || index_at(from, left) <= index_at(from, right))) {
            take = left++;
        } else {
            take = right++;
        }
        memcpy(to + i * MVN_SPARSE_PAIR, from + take * MVN_SPARSE_PAIR, MVN_SPARSE_PAIR);
    }
}

mvn_status mvn_sparse_sort(uint8_t *pairs, size_t count)
{
    if (is_sorted(pairs, count)) {
        return MVN_OK;
    }
    if (count <= MVN_SPARSE_RUN) {
        insertion_sort(pairs, count);
        return MVN_OK;
    }
    uint8_t *spare = mvn_malloc_array(count, MVN_SPARSE_PAIR);
    if (spare == NULL) {
        return MVN_ENOMEM;
    }
    for (size_t begin = 0; begin < count; begin += MVN_SPARSE_RUN) {
        size_t left = count - begin;
        insertion_sort(pairs + begin * MVN_SPARSE_PAIR,
                       left < MVN_SPARSE_RUN ? left : MVN_SPARSE_RUN);
    }
    uint8_t *from = pairs, *to = spare;
    for (size_t width = MVN_SPARSE_RUN; width < count; width *= 2) {
        for (size_t begin = 0; begin < count; begin += 2 * width) {
            size_t middle = count - begin < width ? count : begin + width;
            size_t end = count - begin < 2 * width ? count : begin + 2 * width;
            merge(from, to, begin, middle, end);
        }
        uint8_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != pairs) {
        memcpy(pairs, from, count * MVN_SPARSE_PAIR);
    }
    mvn_free(spare);
    return MVN_OK;
}
