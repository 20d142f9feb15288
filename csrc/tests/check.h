/* The C tests' harness. A test program is one file, test_<noun>.c: static functions of no
 * arguments, and a main that names each of them:
 *
 *     int main(void) { RUN(empty); RUN(grows); return check_end(); }
 *
 * A failed CHECK is reported with its place and the test goes on; REQUIRE leaves the test. */
#ifndef MVN_TESTS_CHECK_H
#define MVN_TESTS_CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int check_count, check_failures, check_tests;
static const char *check_test = "";

static inline int check_true(int ok, const char *text, const char *file, int line)
{
    check_count++;
    if (!ok) {
        check_failures++;
        fprintf(stderr, "%s:%d: in %s: %s\n", file, line, check_test, text);
    }
    return ok;
}

static inline int check_equal(int64_t got, int64_t want, const char *text, const char *file,
                              int line)
{
    int ok = check_true(got == want, text, file, line);
    if (!ok) {
        fprintf(stderr, "    got %" PRId64 ", want %" PRId64 "\n", got, want);
    }
    return ok;
}

static inline int check_bytes(const void *got, size_t got_size, const void *want,
                              size_t want_size, const char *text, const char *file, int line)
{
    int same = got_size == want_size && (want_size == 0 || memcmp(got, want, want_size) == 0);
    if (!check_true(same, text, file, line)) {
        const unsigned char *bytes = got;
        fprintf(stderr, "    got %zu bytes:", got_size);
        for (size_t i = 0; i < got_size && i < 64; i++) {
            fprintf(stderr, " %02x", bytes[i]);
        }
        fprintf(stderr, "\n");
    }
    return same;
}

#define CHECK(condition) ((void)check_true((condition) != 0, #condition, __FILE__, __LINE__))
#define CHECK_EQUAL(got, want)                                                                    \
    ((void)check_equal((int64_t)(got), (int64_t)(want), #got " == " #want, __FILE__, __LINE__))
/* `want` is a string literal; its terminating NUL is not part of the bytes. */
#define CHECK_BYTES(got, size, want)                                                              \
    ((void)check_bytes((got), (size), (want), sizeof(want) - 1, #got " == " #want, __FILE__,      \
                       __LINE__))
#define REQUIRE(condition)                                                                        \
    do {                                                                                          \
        if (!check_true((condition) != 0, #condition, __FILE__, __LINE__)) {                      \
            return;                                                                               \
        }                                                                                         \
    } while (0)
#define RUN(test)                                                                                 \
    do {                                                                                          \
        check_test = #test;                                                                       \
        check_tests++;                                                                            \
        test();                                                                                   \
    } while (0)

/* Prints the tally; the exit code of main. A program that checked nothing fails. */
static inline int check_end(void)
{
    printf("%d tests, %d checks, %d failures\n", check_tests, check_count, check_failures);
    return check_failures != 0 || check_count == 0;
}

#endif
