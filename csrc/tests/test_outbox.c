/* outbox.c: what is shown and consumed, in any portions, is what was appended. */
#include <stdlib.h>

#include "../core/mem.h"
#include "../rpc/outbox.h"
#include "check.h"

static void give_back(void *context, mvn_call *call)
{
    (void)context;
    call->refs--;
}

/* A fixed pseudo-random sequence. */
static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void portions_of_any_size(void)
{
    enum { CALLS = 40 };
    for (unsigned seed = 1; seed <= 60; seed++) {
        unsigned state = seed;
        mvn_outbox outbox;
        mvn_buffer want, got;
        mvn_call calls[CALLS];
        size_t ends[CALLS] = {0}; /* where each message ends */
        uint8_t *body = malloc(50000);
        for (size_t i = 0; i < 50000; i++) {
            body[i] = (uint8_t)(i * 13 % 255);
        }
        memset(calls, 0, sizeof(calls));
        mvn_outbox_init(&outbox);
        mvn_buffer_init(&want);
        mvn_buffer_init(&got);
        for (int i = 0; i < CALLS; i++) {
            for (unsigned pieces = 1 + next_random(&state) % 5; pieces-- > 0;) {
                size_t size = next_random(&state) % 20000 + 1;
                bool refer = next_random(&state) % 2 == 0;
                mvn_span run = {body + next_random(&state) % 20000, size};
                REQUIRE((refer ? mvn_outbox_refer(&outbox, run, &calls[i])
                               : mvn_outbox_copy(&outbox, run.data, run.size)) == MVN_OK);
                REQUIRE(mvn_buffer_append(&want, run.data, run.size) == MVN_OK);
            }
            REQUIRE(mvn_outbox_mark(&outbox, &calls[i]) == MVN_OK);
            ends[i] = want.size;
            /* Part of what is there goes out. */
            mvn_chunk chunks[5];
            size_t n = mvn_outbox_peek(&outbox, chunks, 1 + next_random(&state) % 5);
            size_t sent = 0;
            for (size_t c = 0; c < n; c++) {
                size_t size = next_random(&state) % 3 ? chunks[c].span.size
                                                      : next_random(&state) % chunks[c].span.size;
                REQUIRE(mvn_buffer_append(&got, chunks[c].span.data, size) == MVN_OK);
                sent += size;
                if (size < chunks[c].span.size) {
                    break;
                }
            }
            mvn_outbox_consume(&outbox, sent, give_back, NULL);
            CHECK_EQUAL(outbox.size, want.size - got.size);
            for (int j = 0; j <= i; j++) {
                CHECK_EQUAL(calls[j].message_out, got.size >= ends[j]);
                CHECK(!calls[j].message_out || calls[j].refs == 0);
            }
        }
        while (outbox.size != 0) {
            mvn_chunk chunk;
            REQUIRE(mvn_outbox_peek(&outbox, &chunk, 1) == 1);
            REQUIRE(mvn_buffer_append(&got, chunk.span.data, chunk.span.size) == MVN_OK);
            mvn_outbox_consume(&outbox, chunk.span.size, give_back, NULL);
        }
        CHECK(got.size == want.size && memcmp(got.data, want.data, want.size) == 0);
        for (int i = 0; i < CALLS; i++) {
            CHECK(calls[i].message_out && calls[i].refs == 0);
        }
        mvn_buffer_reset(&want);
        mvn_buffer_reset(&got);
        mvn_outbox_reset(&outbox);
        free(body);
    }
}

/* A socket that never quite catches up must not make the outbox grow. */
static void memory_stays_bounded(void)
{
    mvn_outbox outbox;
    uint8_t bytes[1000] = {0};
    mvn_outbox_init(&outbox);
    for (int i = 0; i < 100000; i++) {
        REQUIRE(mvn_outbox_copy(&outbox, bytes, sizeof(bytes)) == MVN_OK);
        mvn_outbox_consume(&outbox, i == 0 ? 500 : 1000, give_back, NULL);
    }
    CHECK_EQUAL(outbox.size, 500);
    CHECK(outbox.bytes.capacity < 300000);
    CHECK(outbox.capacity < 100);
    mvn_outbox_reset(&outbox);
}

static void nothing_of_a_dropped_outbox_is_out(void)
{
    mvn_outbox outbox;
    mvn_call call = {0};
    mvn_outbox_init(&outbox);
    CHECK_EQUAL(mvn_outbox_copy(&outbox, "header", 6), MVN_OK);
    CHECK_EQUAL(mvn_outbox_refer(&outbox, (mvn_span){(const uint8_t *)"body", 4}, &call), MVN_OK);
    CHECK_EQUAL(mvn_outbox_mark(&outbox, &call), MVN_OK);
    CHECK_EQUAL(call.refs, 2);
    mvn_outbox_drop(&outbox, give_back, NULL);
    CHECK_EQUAL(call.refs, 0);
    CHECK(!call.message_out);
    CHECK_EQUAL(outbox.size, 0);
    mvn_chunk chunk;
    CHECK_EQUAL(mvn_outbox_peek(&outbox, &chunk, 1), 0);
    mvn_outbox_reset(&outbox);
}

static void failed_appends_change_nothing(void)
{
    mvn_outbox outbox;
    mvn_call call = {0};
    mvn_outbox_init(&outbox);
    for (unsigned long n = 1; n <= 2; n++) {
        mvn_mem_fail_on(n);
        CHECK_EQUAL(mvn_outbox_copy(&outbox, "x", 1), MVN_ENOMEM);
        mvn_mem_fail_on(0);
        CHECK_EQUAL(outbox.size, 0);
    }
    mvn_outbox_reset(&outbox);
    mvn_outbox_init(&outbox);
    mvn_mem_fail_on(1);
    CHECK_EQUAL(mvn_outbox_mark(&outbox, &call), MVN_ENOMEM);
    mvn_mem_fail_on(0);
    CHECK_EQUAL(call.refs, 0);
    mvn_outbox_reset(&outbox);
}

int main(void)
{
    RUN(portions_of_any_size);
    RUN(memory_stays_bounded);
    RUN(nothing_of_a_dropped_outbox_is_out);
    RUN(failed_appends_change_nothing);
    return check_end();
}
