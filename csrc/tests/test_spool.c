/* The spool: what goes in comes out, whatever the sizes of the pieces and of the takes. */
#include "../core/mem.h"
#include "../core/spool.h"
#include "check.h"

#include <stdlib.h>

static void pattern(uint8_t *data, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)(seed * 31u + i * 7u);
    }
}

static void what_goes_in_comes_out(void)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 1 << 18, (1 << 18) + 1, 3, 1 << 20};
    static const size_t takes[] = {1, 100, 4096, 70000, (size_t)1 << 30};
    for (size_t t = 0; t < sizeof(takes) / sizeof(takes[0]); t++) {
        mvn_spool spool;
        size_t total = 0;
        mvn_spool_init(&spool);
        uint8_t *want = malloc(4 << 20), *got = malloc(4 << 20);
        REQUIRE(want != NULL && got != NULL);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            pattern(want + total, sizes[i], (unsigned)i);
            REQUIRE(mvn_spool_append(&spool, want + total, sizes[i]) == MVN_OK);
            total += sizes[i];
        }
        CHECK_EQUAL(spool.size, total);
        mvn_writer out = mvn_writer_over(got, total);
        while (spool.size != 0) {
            mvn_spool_take(&spool, takes[t], &out);
        }
        CHECK(out.pos == got + total);
        CHECK(memcmp(got, want, total) == 0);
        CHECK(spool.first == NULL);
        free(want);
        free(got);
    }
}

static void fields_have_their_headers(void)
{
    mvn_spool spool;
    uint8_t got[16];
    mvn_spool_init(&spool);
    REQUIRE(mvn_spool_append_bytes_field(&spool, 1, "abc", 3) == MVN_OK);
    REQUIRE(mvn_spool_append_bytes_field(&spool, 16, NULL, 0) == MVN_OK);
    mvn_writer out = mvn_writer_over(got, sizeof(got));
    mvn_spool_take(&spool, sizeof(got), &out);
    CHECK_BYTES(got, (size_t)(out.pos - got), "\x0a\x03"
                                              "abc\x82\x01\x00");
}

static void failing_leaves_the_spool_as_it_was(void)
{
    mvn_spool spool;
    uint8_t got[8];
    mvn_spool_init(&spool);
    REQUIRE(mvn_spool_append(&spool, "abc", 3) == MVN_OK);
    CHECK_EQUAL(mvn_spool_append(&spool, got, MVN_MAX_MESSAGE), MVN_ETOOBIG);
    CHECK_EQUAL(mvn_spool_append_bytes_field(&spool, 1, got, MVN_MAX_MESSAGE), MVN_ETOOBIG);
    CHECK_EQUAL(mvn_spool_append_bytes_field(&spool, 1, got, MVN_MAX_MESSAGE + 1), MVN_ETOOBIG);
    uint8_t *large = calloc(1, 1 << 20);
    REQUIRE(large != NULL);
    mvn_mem_fail_on(1);
    CHECK_EQUAL(mvn_spool_append(&spool, large, 1 << 20), MVN_ENOMEM);
    mvn_mem_fail_on(0);
    free(large);
    CHECK_EQUAL(spool.size, 3);
    mvn_writer out = mvn_writer_over(got, sizeof(got));
    mvn_spool_take(&spool, 2, &out);
    mvn_spool_take(&spool, 2, &out);
    mvn_spool_take(&spool, 2, &out);
    CHECK_BYTES(got, (size_t)(out.pos - got), "abc");
    mvn_spool_reset(&spool);
}

int main(void)
{
    RUN(what_goes_in_comes_out);
    RUN(fields_have_their_headers);
    RUN(failing_leaves_the_spool_as_it_was);
    return check_end();
}
