/* buffer.c, and mem.c under it: growth, nested messages, and every allocation failing once. */
#include "../core/buffer.h"
#include "../core/mem.h"
#include "check.h"

static void appends_what_the_wire_wants(void)
{
    mvn_buffer buffer;
    mvn_buffer_init(&buffer);
    CHECK_EQUAL(mvn_buffer_append_varint_field(&buffer, 1, 150), MVN_OK);
    CHECK_EQUAL(mvn_buffer_append_bytes_field(&buffer, 2, "hey", 3), MVN_OK);
    CHECK_EQUAL(mvn_buffer_append_bytes_field(&buffer, 3, NULL, 0), MVN_OK);
    CHECK_EQUAL(mvn_buffer_append_varint(&buffer, 0), MVN_OK);
    CHECK_EQUAL(mvn_buffer_append(&buffer, "", 0), MVN_OK);
    CHECK_BYTES(buffer.data, buffer.size, "\x08\x96\x01\x12\x03" "hey" "\x1a\x00\x00");
    mvn_buffer_reset(&buffer);
    CHECK(buffer.data == NULL && buffer.size == 0 && buffer.capacity == 0);
}

/* Payload sizes around each step of the length's own size. */
static void nested_messages_get_their_length(void)
{
    static const size_t sizes[] = {0, 1, 127, 128, 129, 16383, 16384, 70000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        mvn_buffer buffer, payload;
        size_t outer, inner;
        mvn_buffer_init(&buffer);
        mvn_buffer_init(&payload);
        CHECK_EQUAL(mvn_buffer_begin(&buffer, 1, &outer), MVN_OK);
        CHECK_EQUAL(mvn_buffer_begin(&buffer, 2, &inner), MVN_OK);
        for (size_t n = 0; n < sizes[i]; n++) {
            uint8_t byte = (uint8_t)n;
            REQUIRE(mvn_buffer_append(&buffer, &byte, 1) == MVN_OK);
            REQUIRE(mvn_buffer_append(&payload, &byte, 1) == MVN_OK);
        }
        CHECK_EQUAL(mvn_buffer_end(&buffer, inner), MVN_OK);
        CHECK_EQUAL(mvn_buffer_end(&buffer, outer), MVN_OK);

        mvn_buffer want, nested;
        mvn_buffer_init(&want);
        mvn_buffer_init(&nested);
        CHECK_EQUAL(mvn_buffer_append_bytes_field(&nested, 2, payload.data, payload.size), MVN_OK);
        CHECK_EQUAL(mvn_buffer_append_bytes_field(&want, 1, nested.data, nested.size), MVN_OK);
        CHECK(buffer.size == want.size && memcmp(buffer.data, want.data, want.size) == 0);
        mvn_buffer_reset(&buffer);
        mvn_buffer_reset(&payload);
        mvn_buffer_reset(&want);
        mvn_buffer_reset(&nested);
    }
}

static void sizes_beyond_a_message_are_refused(void)
{
    mvn_buffer buffer;
    mvn_buffer_init(&buffer);
    CHECK_EQUAL(mvn_buffer_append(&buffer, "ab", 2), MVN_OK);
    CHECK_EQUAL(mvn_buffer_reserve(&buffer, SIZE_MAX), MVN_ETOOBIG);
    CHECK_EQUAL(mvn_buffer_reserve(&buffer, MVN_MAX_MESSAGE), MVN_ETOOBIG);
    CHECK_EQUAL(mvn_buffer_append_bytes_field(&buffer, 1, "", SIZE_MAX - 4), MVN_ETOOBIG);
    CHECK_BYTES(buffer.data, buffer.size, "ab");
    mvn_buffer_reset(&buffer);
}

/* A message with nesting and growth; stops at the first failure. */
static mvn_status build(mvn_buffer *buffer)
{
    static const uint8_t block[200];
    size_t mark;
    mvn_status status = mvn_buffer_begin(buffer, 1, &mark);
    for (int i = 0; status == MVN_OK && i < 8; i++) {
        size_t before = buffer->size;
        status = mvn_buffer_append_bytes_field(buffer, 2, block, sizeof(block));
        if (status != MVN_OK) {
            CHECK_EQUAL(buffer->size, before);
        }
    }
    return status == MVN_OK ? mvn_buffer_end(buffer, mark) : status;
}

static void every_allocation_may_fail(void)
{
    mvn_buffer buffer;
    mvn_buffer_init(&buffer);
    mvn_mem_fail_on(0);
    CHECK_EQUAL(build(&buffer), MVN_OK);
    unsigned long asked = mvn_mem_count();
    size_t size = buffer.size;
    mvn_buffer_reset(&buffer);
    CHECK(asked > 2);
    for (unsigned long n = 1; n <= asked; n++) {
        mvn_mem_fail_on(n);
        CHECK_EQUAL(build(&buffer), MVN_ENOMEM);
        mvn_buffer_reset(&buffer);
        /* Usable again afterwards. */
        mvn_mem_fail_on(0);
        CHECK_EQUAL(build(&buffer), MVN_OK);
        CHECK_EQUAL(buffer.size, size);
        mvn_buffer_reset(&buffer);
    }
}

static void multiplications_do_not_wrap(void)
{
    CHECK(mvn_malloc_array(SIZE_MAX / 2, 4) == NULL);
    void *block = mvn_malloc_array(0, 8);
    CHECK(block != NULL);
    mvn_free(block);
    mvn_free(NULL);
}

static void errors_are_cut_to_fit(void)
{
    mvn_error error;
    char text[1000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    CHECK_EQUAL(mvn_fail(&error, MVN_EFORMAT, "%s", text), MVN_EFORMAT);
    CHECK_EQUAL(error.status, MVN_EFORMAT);
    CHECK_EQUAL(strlen(error.message), sizeof(error.message) - 1);
    CHECK_EQUAL(mvn_fail(NULL, MVN_ERANGE, "unused"), MVN_ERANGE);
    for (int status = MVN_OK; status <= MVN_ETOOBIG; status++) {
        CHECK(mvn_status_text((mvn_status)status)[0] != '\0');
    }
}

int main(void)
{
    RUN(appends_what_the_wire_wants);
    RUN(nested_messages_get_their_length);
    RUN(sizes_beyond_a_message_are_refused);
    RUN(every_allocation_may_fail);
    RUN(multiplications_do_not_wrap);
    RUN(errors_are_cut_to_fit);
    return check_end();
}
