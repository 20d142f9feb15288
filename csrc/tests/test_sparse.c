/* Sparse rows: layout, stable sorting at every size near the algorithm's seams, bounds. */
#include "../core/mem.h"
#include "../core/sparse.h"
#include "check.h"

#define MOST 700

static void a_pair_is_little_endian(void)
{
    uint8_t pair[MVN_SPARSE_PAIR];
    mvn_sparse_put(pair, 0x01020304u, 1.0f);
    CHECK_BYTES(pair, sizeof(pair), "\x04\x03\x02\x01\x00\x00\x80\x3f");
    mvn_span row = {pair, sizeof(pair)};
    CHECK_EQUAL(mvn_sparse_index(row, 0), 0x01020304);
    CHECK(mvn_sparse_value(row, 0) == 1.0f);
}

static void rows_are_whole_pairs(void)
{
    uint8_t bytes[17] = {0};
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        mvn_span row = {bytes, size};
        size_t count = 99;
        mvn_status status = mvn_sparse_count(row, &count);
        CHECK_EQUAL(status, size % 8 == 0 ? MVN_OK : MVN_EFORMAT);
        CHECK_EQUAL(count, size / 8);
    }
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* The value of a pair is its first position, so that order among equals shows. */
static void sorting_is_stable_at_every_size(void)
{
    static uint8_t pairs[MOST * MVN_SPARSE_PAIR];
    uint32_t seed = 20260801u;
    for (size_t count = 0; count <= MOST; count += count < 70 ? 1 : 45) {
        for (uint32_t range = 2; range < 4000000000u / 16; range *= 16) {
            for (size_t i = 0; i < count; i++) {
                mvn_sparse_put(pairs + 8 * i, next(&seed) % range, (float)i);
            }
            REQUIRE(mvn_sparse_sort(pairs, count) == MVN_OK);
            mvn_span row = {pairs, count * 8};
            double total = 0;
            for (size_t i = 0; i < count; i++) {
                total += (double)mvn_sparse_value(row, i);
                if (i > 0) {
                    uint32_t before = mvn_sparse_index(row, i - 1);
                    uint32_t here = mvn_sparse_index(row, i);
                    REQUIRE(before <= here);
                    REQUIRE(before < here ||
                            mvn_sparse_value(row, i - 1) < mvn_sparse_value(row, i));
                }
            }
            REQUIRE(total == (double)count * ((double)count - 1) / 2);
        }
    }
}

static void extremes_sort_as_unsigned(void)
{
    uint8_t pairs[24];
    mvn_sparse_put(pairs, 0xfffffffeu, 1.0f);
    mvn_sparse_put(pairs + 8, 0x7fffffffu, 2.0f);
    mvn_sparse_put(pairs + 16, 0, 3.0f);
    CHECK_EQUAL(mvn_sparse_sort(pairs, 3), MVN_OK);
    mvn_span row = {pairs, sizeof(pairs)};
    CHECK_EQUAL(mvn_sparse_index(row, 0), 0);
    CHECK_EQUAL(mvn_sparse_index(row, 2), 0xfffffffe);
}

#ifdef MVN_FAULT_INJECTION
static void out_of_memory_leaves_the_row(void)
{
    uint8_t pairs[64 * 8], before[64 * 8];
    for (size_t i = 0; i < 64; i++) {
        mvn_sparse_put(pairs + 8 * i, (uint32_t)(64 - i), 0.5f);
    }
    memcpy(before, pairs, sizeof(pairs));
    mvn_mem_fail_on(1);
    CHECK_EQUAL(mvn_sparse_sort(pairs, 64), MVN_ENOMEM);
    mvn_mem_fail_on(0);
    CHECK(memcmp(pairs, before, sizeof(pairs)) == 0);
}
#endif

int main(void)
{
    RUN(a_pair_is_little_endian);
    RUN(rows_are_whole_pairs);
    RUN(sorting_is_stable_at_every_size);
    RUN(extremes_sort_as_unsigned);
#ifdef MVN_FAULT_INJECTION
    RUN(out_of_memory_leaves_the_row);
#endif
    return check_end();
}
