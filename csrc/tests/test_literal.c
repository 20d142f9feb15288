/* literal.c: the forms of integers and strings, and that a failure leaves the buffer as it was. */
#include "../core/literal.h"
#include "../core/mem.h"
#include "check.h"

#define CHECK_STRING(text, want)                                                                  \
    do {                                                                                          \
        mvn_buffer buffer;                                                                        \
        mvn_buffer_init(&buffer);                                                                 \
        CHECK_EQUAL(mvn_literal_append_string(&buffer, text, sizeof(text) - 1), MVN_OK);          \
        CHECK_BYTES(buffer.data, buffer.size, want);                                              \
        mvn_buffer_reset(&buffer);                                                                \
    } while (0)

static void integers(void)
{
    mvn_buffer buffer;
    mvn_buffer_init(&buffer);
    const int64_t values[] = {0, 7, -1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        REQUIRE(mvn_literal_append_int(&buffer, values[i]) == MVN_OK);
        REQUIRE(mvn_buffer_append(&buffer, " ", 1) == MVN_OK);
    }
    CHECK_BYTES(buffer.data, buffer.size, "0 7 -1 9223372036854775807 -9223372036854775808 ");
    mvn_buffer_reset(&buffer);
}

static void strings_that_need_no_escape(void)
{
    CHECK_STRING("", "''");
    CHECK_STRING("plain", "'plain'");
    CHECK_STRING("tab\t, NUL \0, bell \a", "'tab\t, NUL \0, bell \a'");
    CHECK_STRING("O'Brien", "\"O'Brien\"");
    CHECK_STRING("say \"hi\"", "'say \"hi\"'");
    CHECK_STRING("x'] or id != ['", "\"x'] or id != ['\"");
    CHECK_STRING("\xe4\xb8\xad\xe6\x96\x87", "'\xe4\xb8\xad\xe6\x96\x87'");
    CHECK_STRING("\xf0\x9f\x98\x80", "'\xf0\x9f\x98\x80'");
}

static void strings_that_need_escapes(void)
{
    CHECK_STRING("'\"", "\"'\\\"\"");
    CHECK_STRING("\\", "\"\\\\\"");
    CHECK_STRING("\\'", "\"\\\\'\"");
    CHECK_STRING("a\nb\rc", "\"a\\nb\\rc\"");
    CHECK_STRING("\\n", "\"\\\\n\"");
    CHECK_STRING("\xf0\xa0\x80\x80!", "\"\\U00020000!\"");
    CHECK_STRING("\xf0\xbf\xbf\xbf", "\"\\U0003ffff\"");
    CHECK_STRING("\xf0\x96\xbf\xa0", "\"\\U00016fe0\"");
    CHECK_STRING("\xf0\x9f\x98\x80\n", "\"\xf0\x9f\x98\x80\\n\"");
}

static void a_failure_changes_nothing(void)
{
    const char *texts[] = {"plain", "a'b\"c\\d\n"};
    for (size_t i = 0; i < 2; i++) {
        mvn_buffer buffer;
        mvn_buffer_init(&buffer);
        mvn_mem_fail_on(1);
        CHECK_EQUAL(mvn_literal_append_string(&buffer, texts[i], strlen(texts[i])), MVN_ENOMEM);
        mvn_mem_fail_on(0);
        CHECK_EQUAL(buffer.size, 0);
        mvn_buffer_reset(&buffer);
    }
    mvn_buffer buffer;
    mvn_buffer_init(&buffer);
    CHECK_EQUAL(mvn_buffer_append(&buffer, "id in [", 7), MVN_OK);
    CHECK_EQUAL(mvn_literal_append_string(&buffer, "x", SIZE_MAX), MVN_ETOOBIG);
    CHECK_BYTES(buffer.data, buffer.size, "id in [");
    /* Fails in the middle of the escapes. */
    REQUIRE(mvn_buffer_reserve(&buffer, 200) == MVN_OK);
    char text[400];
    memset(text, '\n', sizeof(text));
    mvn_mem_fail_on(1);
    CHECK_EQUAL(mvn_literal_append_string(&buffer, text, sizeof(text)), MVN_ENOMEM);
    mvn_mem_fail_on(0);
    CHECK_BYTES(buffer.data, buffer.size, "id in [");
    mvn_buffer_reset(&buffer);
}

int main(void)
{
    RUN(integers);
    RUN(strings_that_need_no_escape);
    RUN(strings_that_need_escapes);
    RUN(a_failure_changes_nothing);
    return check_end();
}
